/*
 * hosts.mjs - hosts on a network of their own: namespaces joined by a bridge, each with its system bus and avahi-daemon.
 *
 *     const network = await hosts(2);
 *     await network.hosts[0].avahi.start();
 *     await s.serve({ mdns: true, ...network.hosts[0].at });      the server, on that host
 *     await network.hosts[1].run(['avahi-browse', '-rpt', '_trivet._tcp']);
 *     await network.close();
 *
 * Host n has 10.77.0.n/24 and fd77::n/64 on its interface v0. Needs root, iproute2, dbus-daemon and avahi-daemon; `missing`
 * is what of that is not there, as a reason to skip, else null. Nothing outside of the namespaces is touched.
 */
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { assert, Process, sleep } from './harness.mjs';

const BUS = `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN" "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>system</type><listen>unix:tmpdir=/tmp</listen><auth>EXTERNAL</auth>
<policy context="default"><allow user="*"/><allow own="*"/><allow send_type="method_call"/>
<allow send_requested_reply="true" send_type="method_return"/><allow send_type="signal"/>
<allow receive_type="method_call"/><allow receive_type="method_return"/><allow receive_type="error"/>
<allow receive_type="signal"/><allow send_destination="*" eavesdrop="true"/></policy></busconfig>
`;

const ip = (...args) => execFileSync('ip', args, { stdio: ['ignore', 'pipe', 'pipe'] }).toString();

function whatIsMissing() {
    if (process.getuid() !== 0) return 'network namespaces need root';
    for (const program of ['ip', 'dbus-daemon', 'avahi-daemon', 'avahi-browse'])
        if (!['/usr/sbin', '/usr/bin', '/sbin', '/bin'].some((folder) => fs.existsSync(path.join(folder, program)))) return `${program} is not installed`;
    const name = `trivet${process.pid}x`;
    try {
        ip('netns', 'add', name);
        ip('netns', 'del', name);
    } catch {
        return 'this system does not let root make network namespaces';
    }
    return null;
}

export const missing = whatIsMissing();

const DEADLINE = 15000;

async function eventually(what, check) {
    for (const end = Date.now() + DEADLINE; !(await check()); await sleep(20)) assert.ok(Date.now() < end, `not in time: ${what}`);
}

/* By name, what avahi-browse has told and not taken back. It prints names escaped, bytes as \ddd. */
function parse(lines) {
    const found = {};
    for (const line of lines.slice(0, lines.lastIndexOf('\n') + 1).split('\n')) {
        const [kind, device, family, name, , , host, address, port, txt] = line.split(';');
        if (kind !== '=' && kind !== '-') continue;
        const plain = Buffer.from(name.replace(/\\(\d{3})/g, (_, code) => String.fromCharCode(Number(code))), 'latin1').toString();
        found[plain] = (found[plain] ?? []).filter((one) => one.device !== device || one.family !== family);
        if (kind === '=') found[plain].push({ device, family, host, address, port: Number(port), txt: txt.split(' ').sort().join(' ') });
        if (found[plain].length === 0) delete found[plain];
    }
    return found;
}

class Host {
    constructor(folder, number) {
        this.number = number;
        this.namespace = `trivet${process.pid}n${number}`;
        this.folder = path.join(folder, String(number));
        this.bus = `unix:path=${this.folder}/bus`;
        this.address = `10.77.0.${number}`;
        this.processes = [];
        this.avahi = { start: () => this.startAvahi(), kill: (signal = 'SIGKILL') => this.daemon.stop(signal) };
        /* To be spread into the options of Scenario's serve() and run(). */
        this.at = { wrap: ['ip', 'netns', 'exec', this.namespace], env: { DBUS_SYSTEM_BUS_ADDRESS: this.bus } };
    }

    ip(...args) {
        return ip('-n', this.namespace, ...args);
    }

    spawn(args) {
        const child = new Process('ip', ['netns', 'exec', this.namespace, ...args], { env: { ...process.env, ...this.at.env, LC_ALL: 'C.UTF-8' } });
        child.child.stdin.end();
        this.processes.push(child);
        return child;
    }

    /* A command to its end; its standard output. */
    async run(args) {
        const child = this.spawn(args);
        const end = await child.done;
        assert.equal(end.status, 0, `${args.join(' ')}: ${JSON.stringify(end)}\n${child.stderr}`);
        return child.stdout;
    }

    async startBus(config) {
        fs.mkdirSync(this.folder, { mode: 0o755 });
        this.spawn(['dbus-daemon', `--config-file=${config}`, `--address=${this.bus}`, '--nofork', '--nopidfile']);
        await eventually('the bus', () => fs.existsSync(`${this.folder}/bus`));
    }

    /* A mount namespace of its own comes with `ip netns exec`: a tmpfs keeps the daemons' fixed paths apart. */
    async startAvahi() {
        const config = `${this.folder}/avahi.conf`;
        fs.writeFileSync(config, `[server]\nhost-name=host-${this.number}\nuse-ipv4=yes\nuse-ipv6=yes\nenable-dbus=yes\n[wide-area]\nenable-wide-area=no\n[publish]\npublish-workstation=no\n`, { mode: 0o644 });
        this.daemon = this.spawn(['sh', '-c', 'mkdir -p /run/avahi-daemon && mount -t tmpfs -o mode=755 tmpfs /run/avahi-daemon && exec avahi-daemon --no-rlimits -f "$1"', 'sh', config]);
        await this.daemon.says(/Server startup complete/);
    }

    /* What avahi-browse finds now. It looks for a second. */
    async browse() {
        return parse(await this.run(['avahi-browse', '-rpt', '_trivet._tcp']));
    }

    /* The same from one that keeps looking, which is quicker when asked again. */
    get seen() {
        this.watcher ??= this.spawn(['avahi-browse', '-rp', '_trivet._tcp']);
        return parse(this.watcher.stdout);
    }

    async close() {
        for (const child of this.processes.reverse()) await child.stop('SIGKILL');
        execFileSync('ip', ['netns', 'del', this.namespace]);
    }
}

export async function hosts(count) {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'trivet-hosts-'));
    const bridge = `trivet${process.pid}b`;
    const network = { hosts: [] };
    const remove = () => {
        for (const { namespace } of network.hosts)
            try {
                ip('netns', 'del', namespace);
            } catch {} // gone already
        try {
            ip('netns', 'del', bridge);
        } catch {}
        fs.rmSync(folder, { recursive: true, force: true });
    };
    process.on('exit', remove);
    fs.chmodSync(folder, 0o755); // avahi-daemon gives up its rights
    fs.writeFileSync(`${folder}/bus.conf`, BUS, { mode: 0o644 });
    ip('netns', 'add', bridge);
    ip('-n', bridge, 'link', 'add', 'bridge', 'type', 'bridge', 'mcast_snooping', '0');
    ip('-n', bridge, 'link', 'set', 'bridge', 'up');
    for (let number = 1; number <= count; number++) {
        const host = new Host(folder, number);
        network.hosts.push(host);
        ip('netns', 'add', host.namespace);
        ip('link', 'add', 'v0', 'netns', host.namespace, 'type', 'veth', 'peer', 'name', `p${number}`, 'netns', bridge);
        ip('-n', bridge, 'link', 'set', `p${number}`, 'master', 'bridge', 'up');
        host.ip('link', 'set', 'lo', 'up');
        host.ip('link', 'set', 'v0', 'addrgenmode', 'eui64');
        // No duplicate address detection, which takes a second or two until a link-local address can be used.
        ip('netns', 'exec', host.namespace, 'sh', '-c', 'echo 0 >/proc/sys/net/ipv6/conf/v0/accept_dad');
        host.ip('addr', 'add', `${host.address}/24`, 'dev', 'v0');
        host.ip('addr', 'add', `fd77::${number}/64`, 'dev', 'v0', 'nodad');
        host.ip('link', 'set', 'v0', 'up');
        host.ip('route', 'add', 'default', 'dev', 'v0');
        await host.startBus(`${folder}/bus.conf`);
    }
    network.linkLocal = async (host) => {
        let match;
        await eventually('a link-local address', () => (match = host.ip('-6', 'addr', 'show', 'dev', 'v0', 'scope', 'link').match(/inet6 (fe80:\S+)\/64 scope link(?! tentative)/)));
        return match[1];
    };
    network.close = async () => {
        for (const host of network.hosts) await host.close();
        process.off('exit', remove);
        remove();
    };
    return network;
}
