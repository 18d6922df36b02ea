/*
 * workload.mjs - states to merge: an ancestor, and a phone and a computer that both edited it.
 *
 *     node tests/bench/workload.mjs FOLDER [ITEMS...]       (default 1000 10000 100000)
 *
 * writes FOLDER/ITEMS.{ancestor,phone,computer}.json. The items, about 182 bytes each, are spread over 12 slots; each side edits
 * 5% of them, adds 2%, deletes 2%, and moves 1% within their slot and 1% to another. The same arguments give the same bytes.
 */
import fs from 'node:fs';
import path from 'node:path';

const WORDS = ('buy milk call the plumber about kitchen sink renew passport before June send invoice café naïve “quoted” check '
    + 'tyre pressure book dentist 🎉 water plants pick up parcel').split(' ');
const START = 1.73e12;

let seed = 0;

function random() {
    seed = (seed + 0x6D2B79F5) | 0;
    let t = Math.imul(seed ^ seed >>> 15, 1 | seed);
    t = t + Math.imul(t ^ t >>> 7, 61 | t) ^ t;
    return ((t ^ t >>> 14) >>> 0) / 4294967296;
}

const below = (bound) => Math.floor(random() * bound);
const hex = (digits) => Array.from({ length: digits }, () => '0123456789abcdef'[below(16)]).join('');
const uuid = () => `${hex(8)}-${hex(4)}-4${hex(3)}-${'89ab'[below(4)]}${hex(3)}-${hex(12)}`;
const text = () => Array.from({ length: 3 + below(9) }, () => WORDS[below(WORDS.length)]).join(' ');
const slotsOf = (state) => [...state.lists, ...state.lockedLists];

function item(position, time) {
    return { id: uuid(), text: text(), done: random() < 0.3, position, createdAt: time, updatedAt: time };
}

function ancestor(items) {
    const six = (make) => Array.from({ length: 6 }, (_, slot) => make(slot));
    const categories = (section) => six((slot) => ({ label: `CAT${slot}`, section, updatedAt: START }));
    const state = {
        lists: six(() => []),
        lockedLists: six(() => []),
        listsCategories: categories('lists'),
        lockedListsCategories: categories('lockedLists'),
        scratchpad: six(() => ({ content: Array.from({ length: 40 }, text).join('\n'), updatedAt: START })),
        scratchpadCategories: categories('scratchpad'),
    };
    const slots = slotsOf(state);
    for (let i = 0; i < items; i++) {
        const made = item(slots[i % 12].length, START + i);
        if (random() < 0.05)
            Object.assign(made, { deleted: true, deletedAt: START + i });
        slots[i % 12].push(made);
    }
    return state;
}

function edited(from, items, side) {
    const state = structuredClone(from);
    const slots = slotsOf(state);
    const time = START + 1e8 + side;
    const pick = () => {
        for (;;) {
            const slot = below(12);
            const found = slots[slot][below(slots[slot].length)];
            if (found && !found.deleted)
                return [slot, found];
        }
    };
    const each = (part, edit) => {
        for (let i = 0; i < Math.round(items * part); i++)
            edit(time + i * 2);
    };
    each(0.05, (updatedAt) => {
        const [, found] = pick();
        Object.assign(found, random() < 0.5 ? { text: text() } : { done: !found.done }, { updatedAt });
    });
    each(0.02, (updatedAt) => {
        const slot = slots[below(12)];
        slot.push(item(slot.length, updatedAt));
    });
    each(0.02, (updatedAt) => Object.assign(pick()[1], { deleted: true, deletedAt: updatedAt, updatedAt }));
    each(0.01, (updatedAt) => Object.assign(pick()[1], { position: below(Math.floor(items / 12)), updatedAt }));
    each(0.01, (updatedAt) => {
        const [slot, found] = pick();
        const to = slots[(slot + 1 + below(11)) % 12];
        slots[slot].splice(slots[slot].indexOf(found), 1);
        to.push(Object.assign(found, { position: to.length, updatedAt }));
    });
    state.scratchpad[side].content += `\n${text()}`;
    state.scratchpad[side].updatedAt = time;
    return state;
}

const [folder, ...sizes] = process.argv.slice(2);
if (!folder) {
    console.error('usage: node workload.mjs FOLDER [ITEMS...]');
    process.exit(64);
}
fs.mkdirSync(folder, { recursive: true });
for (const items of sizes.length > 0 ? sizes.map(Number) : [1000, 10000, 100000]) {
    seed = 7919 + items;
    const base = ancestor(items);
    const states = { ancestor: base, phone: edited(base, items, 0), computer: edited(base, items, 1) };
    for (const [name, state] of Object.entries(states))
        fs.writeFileSync(path.join(folder, `${items}.${name}.json`), JSON.stringify(state));
}
