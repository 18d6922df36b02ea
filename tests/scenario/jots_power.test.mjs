/*
 * Files of jots when the power goes (store/jot_content.c): the order of the steps as the kernel is told of them, a kill at each of them, and a
 * disk that cannot say whether it has kept what it was given.
 */
import fs from 'node:fs';
import path from 'node:path';
import { randomBytes } from 'node:crypto';
import { assert, App, NO_STRACE, scenario } from './harness.mjs';
import { attach } from './strace.mjs';
import { createHash256, Phone2 } from './version2.mjs';

const filesOf = async (s) => (await s.json(['jots']))[0]?.files ?? [];
const inFolder = (s) => (fs.existsSync(path.join(s.data, 'jots')) ? fs.readdirSync(path.join(s.data, 'jots')) : []);
const stored = (s, count = 1) => s.eventually(`${count} files are stored`, async () => (await filesOf(s)).filter((f) => f.state === 'stored').length === count);

/* A phone of either version, with `give`, `comes` (connects, syncs, stays) and `goes`. */
async function newPhone(s, version) {
    if (version === 1) {
        const phone = await s.phone();
        return {
            give: (files) => phone.setJot(1, { files }),
            comes: async () => { phone.port = s.server.port; await s.confirmed(phone, { stay: true }); },
            goes: () => phone.cut(),
        };
    }
    const pairing = await s.pair();
    const phone = new Phone2(pairing, new App({ host: '127.0.0.1', port: s.server.port, secret: pairing.secret, deviceId: 'Pixel 9' }));
    s.later(() => phone.socket?.terminate());
    return {
        phone,
        give: (files) => phone.app.setJot(1, { files }),
        comes: async () => { phone.port = s.server.port; assert.equal(await phone.sync({ stay: true }), 'confirmed'); },
        goes: () => phone.socket?.terminate(),
    };
}

for (const version of [1, 2])
    scenario(`version ${version}: written, synced, renamed, the folder synced, and then recorded`, async (s) => {
        await s.serve();
        const phone = await newPhone(s, version), bytes = randomBytes(200000), trace = s.file('trace');
        phone.give([{ id: 'first', bytes: Buffer.from('so that the folder is there') }]);
        await phone.comes();
        await stored(s);
        phone.goes();
        phone.give([{ id: 'first', bytes: Buffer.from('so that the folder is there') }, { id: 'f', bytes }]);
        const detach = await attach(s, ['-y', '-e', 'trace=write,fsync,rename,pwrite64,fdatasync'], trace);
        await phone.comes();
        await stored(s, 2);
        await detach();
        const lines = fs.readFileSync(trace, 'utf8').split('\n'), name = createHash256(bytes).toString('hex');
        const at = (pattern, from = 0) => {
            const found = lines.findIndex((line, i) => i >= from && pattern.test(line));
            assert.ok(found >= 0, `${pattern}\n${lines.join('\n')}`);
            return found;
        };
        const own = version === 1 ? 'incoming-' : 'partial-';
        const renamed = at(new RegExp(`rename\\(.*${own}.*${name}`));
        const written = lines.findLastIndex((line) => new RegExp(` write\\(.*jots/${own}`).test(line));
        const synced = at(new RegExp(`fsync\\(.*jots/${own}`));
        assert.ok(written >= 0 && written < synced && synced < renamed, lines.join('\n'));
        const folder = at(/ fsync\(\d+<[^>]*\/jots>/, renamed);
        const recorded = at(/ pwrite64\(\d+<[^>]*-wal>/, renamed);
        assert.ok(folder < recorded, lines.slice(renamed).join('\n'));
        at(/ (fdatasync|fsync)\(\d+<[^>]*-wal>/, recorded);
    }, { skip: NO_STRACE });

for (const version of [1, 2])
    scenario(`version ${version}: killed at each step, what counts as stored is there and the rest comes again`, async (s) => {
        await s.serve();
        const phone = await newPhone(s, version), files = [];
        for (const [call, nth] of [['write', 2], ['fsync', 1], ['rename', 1], ['fsync', 2], ['fdatasync,pwrite64', 5], ['fdatasync,pwrite64', 9]]) {
            const what = `killed at ${call} ${nth}`;
            files.push({ id: `f${files.length}`, bytes: randomBytes(200000 + files.length) });
            phone.give(files);
            s.server.expected = null;
            const { port } = s.server;
            const leave = await attach(s, ['-y', '-e', `trace=${call}`, '-e', `inject=${call}:signal=KILL:when=${nth}`], '/dev/null');
            await phone.comes().catch(() => {});
            await s.eventually(what, () => s.server.end);
            await leave();
            phone.goes();
            await s.serve({ port });
            await s.cli(['fsck']);
            await phone.comes();
            await stored(s, files.length);
            phone.goes();
            assert.deepEqual(inFolder(s).filter((name) => !/^[0-9a-f]{64}$/.test(name)), [], what);
            for (const { bytes } of files) assert.ok(inFolder(s).includes(createHash256(bytes).toString('hex')), what);
        }
        await s.cli(['fsck']);
    }, { skip: NO_STRACE });

scenario('what could not be synced is not taken for what is on the disk: it comes once more, all of it', async (s) => {
    await s.serve();
    const phone = await newPhone(s, 2), bytes = randomBytes(500000), small = { id: 's', bytes: Buffer.from('s') };
    phone.give([small]);
    await phone.comes();
    await stored(s);
    phone.goes();
    phone.give([small, { id: 'f', bytes }]);
    const works = await attach(s, ['-y', '-e', 'trace=fsync', '-e', 'inject=fsync:error=EIO'], '/dev/null');
    await phone.comes();
    await s.eventually('it is told', () => phone.phone.of('error').some((e) => e.code === 'failed'));
    await s.eventually('none of it is kept', () => inFolder(s).length === 1);
    await works();
    phone.goes();
    await s.server.stop('SIGTERM');
    await s.serve();
    await phone.comes();
    await stored(s, 2);
    assert.deepEqual(phone.phone.requests.filter((r) => r.fileId === 'f').map((r) => r.offset), [0, 0]);
    await s.cli(['fsck']);
}, { skip: NO_STRACE });
