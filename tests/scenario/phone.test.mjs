/* `trivet phone`: the program's own phone, with a server and next to the other phone. */
import fs from 'node:fs';
import { assert, essence, itemWith, scenario, texts } from './harness.mjs';

/* A phone in a folder, paired where there is a server. */
async function own(s, name = 'p') {
    const folder = s.file(name);
    const run = (args, options) => s.run(['phone', '--state', folder, ...args], options);
    await run(['init', '--pairing', '-'], { input: JSON.stringify(await s.pair()) });
    return {
        folder,
        run,
        add: (text) => {
            s.planted.add(text);
            return run(['add', text]);
        },
        export: async () => JSON.parse((await run(['export'])).stdout),
    };
}

scenario('edits of a phone in a folder reach the computer, and back', async (s) => {
    await s.serve();
    const phone = await own(s);
    await phone.add(s.text('milk'));
    await phone.add(s.text('salt'));
    await s.add(s.text('bread'));
    await phone.run(['sync']);
    assert.equal((await phone.run(['export'])).stdout, (await s.cli(['export'])).stdout, 'both print the same state');
    const milk = itemWith(await phone.export(), s.text('milk'));
    const bread = itemWith(await phone.export(), s.text('bread'));
    await phone.run(['edit', bread.id, s.text('rye bread')]);
    await phone.run(['rm', milk.id]);
    await s.cli(['done', bread.id]);
    await phone.run(['sync']);
    assert.equal((await phone.run(['export'])).stdout, (await s.cli(['export'])).stdout);
    const computer = await s.export();
    assert.deepEqual(texts(computer).lists[0].sort(), [s.text('rye bread'), s.text('salt')].sort());
    assert.equal(itemWith(computer, s.text('rye bread')).done, true);
    // And once more with nothing to do.
    await phone.run(['sync'], { expect: null });
    assert.equal((await s.cli(['export'])).stdout, (await phone.run(['export'])).stdout);
});

scenario('two kinds of phone and one computer', async (s) => {
    await s.serve();
    const mine = await own(s);
    const theirs = await s.phone();
    await mine.add(s.text('of the folder'));
    theirs.add('lists', 0, s.text('of the app'));
    theirs.setPad(0, s.text('a pad of the app'));
    await mine.run(['sync']);
    await s.confirmed(theirs);
    await mine.run(['sync']);
    assert.deepEqual(essence(await mine.export()), essence(theirs.state()));
    assert.deepEqual(texts(await mine.export()).lists[0].sort(), [s.text('of the app'), s.text('of the folder')]);
});

scenario('what can go wrong with it', async (s) => {
    await s.serve();
    const phone = await own(s);
    await phone.add(s.text('milk'));
    const before = (await phone.run(['export'])).stdout;
    // A revoked pairing.
    const pairing = await s.pair();
    const revoked = (args, options) => s.run(['phone', '--state', s.file('r'), ...args], options);
    await revoked(['init', '--pairing', '-'], { input: JSON.stringify(pairing) });
    await s.cli(['devices', 'revoke', pairing.device]);
    const refused = await revoked(['sync'], { expect: null });
    assert.ok(refused.status >= 64 && refused.status <= 78, `${refused.status}`);
    assert.match(refused.stderr, /pair|secret/i);
    // Nobody there.
    await s.server.stop();
    const alone = await phone.run(['sync'], { expect: null });
    assert.ok(alone.status >= 64 && alone.status <= 78, `${alone.status}`);
    assert.ok(alone.stderr.length > 0);
    assert.equal((await phone.run(['export'])).stdout, before);
    // Pairings that are none.
    for (const input of ['', '{}', 'x', '{"ip":"127.0.0.1","port":70000,"secret":"x"}']) {
        const { status } = await s.run(['phone', '--state', s.file('q'), 'init', '--pairing', '-'], { input, expect: null });
        assert.ok(status >= 64 && status <= 78, `${JSON.stringify(input)}: ${status}`);
    }
    const { status, stderr } = await s.run(['phone', '--state', s.file('never'), 'sync'], { expect: null });
    assert.ok(status >= 64 && status <= 78);
    assert.match(stderr, /init/, 'says what to do first');
    for (const name of fs.readdirSync(phone.folder)) assert.equal(fs.statSync(`${phone.folder}/${name}`).mode & 0o077, 0, `${name} is for its owner alone`);
});

scenario('its sync ends with a "no" where the computer cancels', async (s) => {
    await s.serve({ env: { TRIVET_ASK_TIMEOUT: '500ms' } });
    const phone = await own(s);
    for (const word of ['ash', 'birch', 'cedar', 'elm', 'fir']) await phone.add(s.text(word));
    await phone.run(['sync']);
    await phone.run(['sync'], { expect: null });
    // The computer loses everything at one blow: a large change, and nobody answers.
    fs.writeFileSync(s.file('empty.json'), '{"lists":[[]],"lockedLists":[]}');
    await s.cli(['import', '--replace', s.file('empty.json')]);
    const before = (await phone.run(['export'])).stdout;
    const { status, stderr } = await phone.run(['sync'], { expect: null });
    assert.equal(status, 1);
    assert.ok(stderr.length > 0);
    assert.equal((await phone.run(['export'])).stdout, before);
});
