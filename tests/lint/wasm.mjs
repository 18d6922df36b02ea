/*
 * wasm.mjs - the merge library as a WebAssembly module decides fixtures as they are written.
 *
 *     node tests/lint/wasm.mjs build/wasm/trivet_merge.wasm fixtures/merge      prints how many; status 1 where one differs
 */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';

const [file, root] = process.argv.slice(2);
const module = new WebAssembly.Module(fs.readFileSync(file));
assert.deepEqual(WebAssembly.Module.imports(module), [], 'it needs nothing from outside');

/* The document of a merge of three texts; the first may be null. */
function merge(texts) {
    const { exports: api } = new WebAssembly.Instance(module);
    const bytes = () => new Uint8Array(api.memory.buffer);
    const word = (at) => new DataView(api.memory.buffer).getUint32(at, true);
    const room = (size) => {
        const at = api.malloc(size);
        bytes().fill(0, at, at + size);
        return at;
    };
    const out = room(8);
    const error = room(512);
    const states = texts.map((text, side) => {
        if (text === null) return 0;
        const at = room(text.length);
        bytes().set(text, at);
        assert.equal(api.trivet_merge_state_read(at, text.length, side, out, error), 0);
        return word(out);
    });
    assert.equal(api.trivet_merge(...states, 0, out, error), 0);
    const result = word(out);
    assert.equal(api.trivet_merge_result_write(result, out, out + 4), 0);
    const text = Buffer.from(api.memory.buffer, word(out), word(out + 4)).toString();
    api.trivet_merge_result_free(result);
    states.forEach(api.trivet_merge_state_free);
    return JSON.parse(text);
}

/* Cases with options, answers or a state to guard with are not for this. */
const PLAIN = new Set(['about', 'ancestor.json', 'phone.json', 'computer.json', 'expected.json']);

let cases = 0;
for (const entry of fs.readdirSync(root, { recursive: true, withFileTypes: true })) {
    if (entry.name !== 'expected.json') continue;
    const folder = entry.path;
    const read = (name) => {
        const full = path.join(folder, name);
        return fs.existsSync(full) ? fs.readFileSync(full) : null;
    };
    const wanted = JSON.parse(read('expected.json'));
    if (wanted.error || fs.readdirSync(folder).some((name) => !PLAIN.has(name))) continue;
    const got = merge([read('ancestor.json'), read('phone.json'), read('computer.json')]);
    assert.deepEqual(got, wanted, folder);
    cases++;
}
console.log(`${cases} cases`);
assert.ok(cases > 50, 'there are cases to try');
