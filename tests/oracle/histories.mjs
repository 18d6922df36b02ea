// Random histories: an ancestor, and what a phone and a computer made of it.
//
// A case is {ancestor, phone, computer, guard, options, answers}. A state in it is plain data, small enough to be shrunk: item
// sections are {slots, items: [{slot, fields}]}, entry sections [{fields}], null a section sent as null; fields and `other`, the
// top-level keys that nobody knows, hold JSON source. `answers`: how ties are picked, undefined to leave them open.

export const ITEMS = ['lists', 'lockedLists'];
export const ENTRIES = ['listsCategories', 'lockedListsCategories', 'scratchpad', 'scratchpadCategories'];

// mulberry32
export const random = (seed) => {
    let state = seed >>> 0;
    const next = () => {
        state = (state + 0x6d2b79f5) >>> 0;
        let t = state;
        t = Math.imul(t ^ (t >>> 15), t | 1);
        t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
        return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
    };
    const below = (n) => Math.floor(next() * n);
    return { below, chance: (p) => next() < p, of: (list) => list[below(list.length)] };
};

const IDS = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'B', 'aa', 'é', 'a\\"', 'a!', '\\ud83c', '\\u0000', '😀', '\\u0062'];
const TEXTS = ['""', '"milk"', '"oat milk"', '"soy"', '"\\u006dilk"', '"\\ud83c"', '"a\\nb"', '"é\\/"', '"\\u001f\\u0000"', '"\u2028"'];
const VALUES = ['null', 'null', '1', '1.0', '10e-1', '2', 'true', 'false', '"x"', '"\\u0078"', '[ ]', '[1,2]', '[1.0,2]', '{}', '{"a":1,"b":[2]}',
    '{"b":[2.0], "a":1}', '{"a":1}', '12345678901234567890', '12345678901234567891', '-0', '0', '1e400', '0.1', '0.10000000000000000001'];
const NAMES = ['colour', 'x', 'Zed', 'slots', 'lists', 'é', 'a\\"b', 'content', 'label', 'section'];
const POSITIONS = ['0', '1', '2', '3', '4', '1.5', '-1', '1.0', '20e-1', '-0', '0.1', '1e300', '-1e300', '1e-320', '9007199254740993', '1.7976931348623157e308',
    '-1.7976931348623157e308', '0.30000000000000004', '1e21', '1.0000000000000002'];
const LINES = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', '', ' ', 'é', '\\"', '\\t', '\\u0000'];
const LAST = '9007199254740991';

const clone = (value) => (value === undefined ? undefined : JSON.parse(JSON.stringify(value)));

export const generate = (seed) => {
    const r = random(seed);
    // Some cases are about order, some about text, some about nothing in particular.
    const about = r.of(['all', 'all', 'order', 'order', 'order', 'text', 'text', 'items', 'presence', 'clash', 'clash', 'odd']);
    // What both sides like to edit, and when.
    const undated = r.chance(0.1);
    const hot = { section: r.chance(0.8) ? 'lists' : 'lockedLists', at: r.below(6), slot: r.below(3), time: r.of(['20', '30', '40']) };
    const odd = (p) => r.chance(about === 'odd' ? p * 4 : p);
    const clock = () => String(odd(0.01) ? r.of(['0', LAST, '9007199254740990', '1e1', '20.0']) : r.of([10, 20, 20, 30, 30, 40, 50]));
    const now = () => (r.chance(about === 'clash' ? 0.8 : 0.4) ? hot.time : clock());
    const ids = about === 'odd' || r.chance(0.1) ? IDS : IDS.slice(0, about === 'order' ? 12 : 8);
    if (about === 'order' && r.chance(0.1)) ids.push(...Array.from({ length: 20 }, (_, i) => `i${i}`));
    const id = () => (about === 'order' || !odd(0.05) ? r.of(ids) : r.of(IDS));
    const position = () => (odd(0.1) ? r.of(POSITIONS) : r.of(POSITIONS.slice(0, 6)));
    const value = () => r.of(VALUES);
    const line = () => (odd(0.1) ? r.of(LINES) : r.of(LINES.slice(0, 8)));
    const text = () => r.of(odd(0.1) ? TEXTS : TEXTS.slice(0, 4));
    const content = () => `"${Array.from({ length: r.below(7) }, line).join('\\n')}${r.of(['', '\\n'])}"`;

    const newItem = (slot) => {
        const fields = { id: `"${id()}"`, text: text(), position: position() };
        if (!odd(0.05)) fields.updatedAt = clock();
        if (!odd(0.05)) fields.createdAt = r.of(['1', '2', '3', odd(0.1) ? '1e1' : '4']);
        if (!odd(0.05)) fields.done = r.of(['true', 'false']);
        if (r.chance(about === 'presence' ? 0.4 : 0.15)) {
            fields.deleted = 'true';
            fields.deletedAt = r.of([clock(), 'null', clock(), '0']);
        } else if (odd(0.1)) {
            fields.deleted = 'false';
            if (r.chance(0.5)) fields.deletedAt = odd(0.2) ? clock() : 'null';
        }
        if (odd(0.1)) fields[r.of(NAMES)] = value();
        return { slot, fields };
    };
    const newEntry = (section) => {
        const fields = {};
        if (section === 'scratchpad') fields.content = about === 'text' || r.chance(0.5) ? content() : text();
        else fields.label = text();
        if (odd(0.05)) delete fields[section === 'scratchpad' ? 'content' : 'label'];
        if (section !== 'scratchpad' && r.chance(0.7)) fields.section = r.of(['"lists"', '"a"', '"b"']);
        if (!odd(0.05)) fields.updatedAt = r.chance(undated ? 0.8 : 0.1) ? '0' : clock();
        if (odd(0.05)) fields[r.of(NAMES.slice(0, 7))] = value();
        return { fields };
    };
    const newState = () => {
        const state = { other: {} };
        for (const section of ITEMS) {
            if (!r.chance(section === hot.section ? 0.95 : 0.2)) continue;
            const slots = r.chance(0.05) ? 0 : 1 + r.below(about === 'order' ? 2 : 3);
            state[section] = { slots, items: [] };
            for (let i = r.below(about === 'order' ? r.of([4, 8, 12, 30]) : 6); i > 0 && slots; i--) {
                const item = newItem(r.below(slots));
                if (!state[section].items.some((other) => other.fields.id === item.fields.id)) state[section].items.push(item);
            }
        }
        for (const section of ENTRIES)
            if (r.chance(about === 'text' && section === 'scratchpad' ? 1 : 0.2))
                state[section] = Array.from({ length: about === 'text' ? 1 + r.below(2) : r.below(3) }, () => newEntry(section));
        if (r.chance(0.1)) state.other[r.of(NAMES.slice(0, 4))] = value();
        return state;
    };

    // One edit of an item section by a side. Mostly what an app does; sometimes what one should not.
    const editItems = (view) => {
        if (!view.slots) {
            view.slots = r.below(3);
            return;
        }
        const one = r.chance(about === 'clash' ? 0.9 : 0.4) ? view.items[hot.at % Math.max(1, view.items.length)] : view.items.length ? r.of(view.items) : undefined;
        const stamp = (item) => { if (!odd(0.1)) item.fields.updatedAt = now(); };
        const renumber = (slot, shuffled) => {
            const items = view.items.filter((item) => item.slot === slot && item.fields.deleted !== 'true');
            items.sort((x, y) => (shuffled ? r.below(3) - 1 : Number(x.fields.position) - Number(y.fields.position)));
            const [first, step] = [r.of([0, 1, 10]), r.of([1, 1, 2, 0.5])];
            for (const [i, item] of items.entries()) item.fields.position = String(first + i * step);
        };
        const kinds = {
            add: () => view.items.push(newItem(r.below(view.slots))),
            edit: () => { one.fields.text = text(); stamp(one); },
            tick: () => { one.fields.done = r.of(['true', 'false']); stamp(one); },
            touch: () => stamp(one),
            del: () => { one.fields.deleted = 'true'; one.fields.deletedAt = odd(0.2) ? 'null' : clock(); if (r.chance(0.5)) stamp(one); },
            restore: () => { one.fields.deleted = 'false'; one.fields.deletedAt = 'null'; if (r.chance(0.5)) delete one.fields.deleted; stamp(one); },
            place: () => { one.fields.position = position(); if (r.chance(0.7)) stamp(one); },
            slot: () => { one.slot = r.chance(0.5) ? hot.slot % view.slots : r.below(view.slots); if (r.chance(0.7)) one.fields.position = position(); stamp(one); },
            renumber: () => renumber(one.slot, false),
            shuffle: () => renumber(one.slot, true),
            gone: () => { view.items = view.items.filter((item) => item !== one); },
            purge: () => { view.items = view.items.filter((item) => item.fields.deleted !== 'true'); },
            twice: () => { const copy = clone(one); copy.slot = r.below(view.slots); copy.fields.text = text(); stamp(copy); view.items.push(copy); },
            unknown: () => { one.fields[r.of(NAMES.slice(0, 3))] = value(); if (r.chance(0.7)) stamp(one); },
            less: () => { delete one.fields[r.of(['done', 'createdAt', 'updatedAt', 'colour', 'x', 'Zed', 'deletedAt'])]; },
            created: () => { one.fields.createdAt = r.of(['1', '2', '3', '5e0']); stamp(one); },
            pair: () => { one.fields.deletedAt = r.of(['null', clock()]); },
            rewrite: () => { one.fields.position = { 1: '1.0', 2: '2e0', 0: '-0' }[one.fields.position] ?? one.fields.position; },
            longer: () => { view.slots = Math.min(5, view.slots + 1); },
            shorter: () => { view.slots--; view.items = view.items.filter((item) => item.slot < view.slots); },
            empty: () => { view.items = []; },
        };
        const usual = ['add', 'add', 'edit', 'edit', 'tick', 'del', 'gone', 'slot', 'place'];
        const menus = {
            order: ['add', 'place', 'place', 'place', 'slot', 'renumber', 'renumber', 'shuffle', 'del', 'gone', 'restore', 'edit'],
            presence: ['add', 'del', 'del', 'restore', 'restore', 'restore', 'gone', 'purge', 'edit', 'pair', 'slot', 'slot', 'renumber'],
            odd: Object.keys(kinds),
            text: usual,
            clash: ['edit', 'edit', 'tick', 'slot', 'slot', 'place', 'unknown', 'unknown', 'created', 'renumber', 'add', 'del'],
            items: [...usual, 'unknown', 'unknown', 'created', 'less', 'touch', 'restore'],
            all: [...usual, 'restore', 'purge', 'renumber', 'shuffle', 'unknown', 'created', 'touch', 'twice', 'less', 'longer', 'shorter', 'empty'],
        };
        const kind = r.of(menus[about]);
        if (one || ['add', 'longer', 'shorter', 'empty', 'purge'].includes(kind)) kinds[kind]();
    };

    const editEntries = (view, section) => {
        const one = view.length ? r.of(view) : undefined;
        const name = section === 'scratchpad' ? 'content' : 'label';
        const stamp = () => { one.fields.updatedAt = undated ? '0' : now(); };
        const kinds = {
            write: () => { one.fields[name] = section === 'scratchpad' && r.chance(0.5) ? content() : text(); stamp(); },
            lines: () => {
                const whole = one.fields[name] ?? '""';
                const lines = whole.slice(1, -1).split('\\n');
                const at = r.below(lines.length + 1);
                lines.splice(at, r.below(2), ...Array.from({ length: r.below(3) }, line));
                one.fields[name] = `"${lines.join('\\n')}"`;
                stamp();
            },
            section: () => { if (section !== 'scratchpad') { one.fields.section = r.of(['"a"', '"b"', '"c"']); stamp(); } },
            wiped: () => { one.fields = { [name]: '""', updatedAt: '0' }; },
            unknown: () => { one.fields[r.of(NAMES.slice(0, 3))] = value(); stamp(); },
            less: () => { delete one.fields[r.of([name, 'updatedAt', 'section', 'x'])]; },
            pop: () => { view.pop(); },
            push: () => { if (view.length < 4) view.push(newEntry(section)); },
        };
        const menu = section === 'scratchpad' && about !== 'odd' ? ['lines', 'lines', 'lines', 'write', 'wiped', 'pop', 'push']
            : ['write', 'write', 'section', 'wiped', 'unknown', 'less', 'pop', 'push', 'lines'];
        const kind = r.of(menu);
        if (one || kind === 'push') kinds[kind]();
    };

    const edited = (state) => {
        const side = clone(state);
        for (let i = r.of(about === 'clash' ? [3, 5, 8] : [0, 1, 1, 2, 2, 3, 5, 8]); i > 0; i--) {
            const section = r.chance(about === 'text' ? 0.3 : 0.8) ? hot.section : about === 'text' ? 'scratchpad' : r.of([...ITEMS, ...ENTRIES]);
            if (!side[section]) {
                if (r.chance(0.1)) side[section] = ITEMS.includes(section) ? { slots: r.below(3), items: [] } : [];
            } else if (ITEMS.includes(section)) {
                editItems(side[section]);
            } else {
                editEntries(side[section], section);
            }
        }
        if (r.chance(0.1)) side.other[r.of(NAMES.slice(0, 4))] = value();
        if (odd(0.05)) side[r.of([...ITEMS, ...ENTRIES])] = r.of([null, undefined]);
        if (odd(0.05)) delete side.other[r.of(NAMES.slice(0, 4))];
        return side;
    };

    const ancestor = newState();
    const both = r.chance(0.1) ? edited(ancestor) : ancestor; // what both sides did alike
    const one = { ancestor, phone: edited(both), computer: edited(both), options: {} };
    if (r.chance(0.12)) {
        if (r.chance(0.4)) one.guard = one.ancestor;
        delete one.ancestor;
    }
    if (r.chance(0.3)) one.options.threshold = r.of([0.25, 0.5, 0.75, 1, 0.8, 0]);
    else one.options.threshold = 1;
    if (one.options.threshold === 1 && r.chance(0.3)) delete one.options.threshold;
    if (r.chance(0.4)) one.options.large = r.of(['computer', 'phone', 'both']);
    if (r.chance(0.15)) one.options.clockOffset = r.of([10, -10, 5, -100, 100, 0]);
    if (r.chance(0.1)) one.options.text = r.of(['whole', 'lines']);
    if (r.chance(0.5)) one.answers = r.of(['phone', 'computer', 'computer', 'mixed']);
    return one;
};

// A state as a document.
export const document = (state) => {
    const members = ([name, source]) => `"${name}":${source}`;
    const whole = (fields) => `{${Object.entries(fields).map(members).join()}}`;
    const parts = [];
    for (const section of [...ITEMS, ...ENTRIES]) {
        const view = state[section];
        if (view === undefined) continue;
        if (view === null) {
            parts.push(`"${section}":null`);
        } else if (ENTRIES.includes(section)) {
            parts.push(`"${section}":[${view.map((entry) => whole(entry.fields)).join()}]`);
        } else {
            const slots = Array.from({ length: view.slots }, (_, slot) =>
                `[${view.items.filter((item) => item.slot === slot).map((item) => whole(item.fields)).join()}]`);
            parts.push(`"${section}":[${slots.join(', ')}]`);
        }
    }
    for (const [name, source] of Object.entries(state.other ?? {})) if (name !== 'lists') parts.push(`"${name}": ${source}`);
    return `{${parts.join()}}`;
};

// How great a case is: first by how much the sides did, then by what there is at all.
const size = (one) => {
    const things = (state, section) => (state?.[section]?.items ?? state?.[section] ?? []).map((thing) => JSON.stringify(thing));
    let edits = 0;
    if (one.ancestor) {
        for (const section of [...ITEMS, ...ENTRIES]) {
            const had = things(one.ancestor, section);
            for (const side of [one.phone, one.computer]) {
                const has = things(side, section);
                edits += has.filter((thing) => !had.includes(thing)).length + had.filter((thing) => !has.includes(thing)).length;
            }
        }
    }
    return edits * 1000 + JSON.stringify(one).length;
};

export const smaller = (one) => [...steps(one)].filter((step) => size(step) < size(one));

// Everything one step away, the greatest steps first.
function* steps(one) {
    const with_ = (change) => {
        const copy = clone(one);
        change(copy);
        return copy;
    };
    const states = ['ancestor', 'phone', 'computer', 'guard'].filter((name) => one[name]);
    if (one.guard) yield with_((copy) => delete copy.guard);
    if (one.ancestor) yield with_((copy) => delete copy.ancestor);
    for (const section of [...ITEMS, ...ENTRIES])
        if (states.some((name) => one[name][section] !== undefined)) yield with_((copy) => states.forEach((name) => delete copy[name][section]));
    for (const name of states) if (Object.keys(one[name].other).length) yield with_((copy) => { copy[name].other = {}; });
    if (one.answers) yield with_((copy) => delete copy.answers);
    for (const option of Object.keys(one.options)) yield with_((copy) => delete copy.options[option]);
    if (one.ancestor) for (const side of ['phone', 'computer'])
        for (const section of [...ITEMS, ...ENTRIES])
            if (JSON.stringify(one[side][section]) !== JSON.stringify(one.ancestor[section]))
                yield with_((copy) => { copy[side][section] = clone(copy.ancestor[section]); });
    for (const section of ITEMS) {
        const all = new Set(states.flatMap((name) => (one[name][section]?.items ?? []).map((item) => item.fields.id)));
        for (const id of all)
            yield with_((copy) => states.forEach((name) => {
                const view = copy[name][section];
                if (view) view.items = view.items.filter((item) => item.fields.id !== id);
            }));
        if (states.some((name) => one[name][section]?.slots > 1 && !one[name][section].items.some((item) => item.slot === one[name][section].slots - 1)))
            yield with_((copy) => states.forEach((name) => {
                const view = copy[name][section];
                if (view?.slots > 1 && !view.items.some((item) => item.slot === view.slots - 1)) view.slots--;
            }));
    }
    for (const section of ENTRIES)
        if (states.some((name) => one[name][section]?.length)) {
            yield with_((copy) => states.forEach((name) => copy[name][section]?.pop()));
            yield with_((copy) => states.forEach((name) => copy[name][section]?.shift()));
        }
    for (const name of states) {
        for (const section of ITEMS) {
            const items = one[name][section]?.items ?? [];
            for (let i = 0; i < items.length; i++) {
                yield with_((copy) => copy[name][section].items.splice(i, 1));
                const twin = one.ancestor?.[section]?.items?.find((item) => item.fields.id === items[i].fields.id);
                if (twin && name !== 'ancestor' && JSON.stringify(twin) !== JSON.stringify(items[i]))
                    yield with_((copy) => { copy[name][section].items[i] = clone(twin); });
            }
        }
        for (const section of ENTRIES) for (let i = 0; i < (one[name][section]?.length ?? 0); i++)
            if (one.ancestor?.[section]?.[i] && name !== 'ancestor' && JSON.stringify(one.ancestor[section][i]) !== JSON.stringify(one[name][section][i]))
                yield with_((copy) => { copy[name][section][i] = clone(copy.ancestor[section][i]); });
    }
    // Fields, and plainer values.
    const plain = { text: ['""', '"milk"'], position: ['1', '2'], updatedAt: ['10', '20'], createdAt: [], deletedAt: ['20'], content: ['""', '"a\\n"'], label: ['"milk"'] };
    const things = (copy) => states.flatMap((name) => [...ITEMS, ...ENTRIES].flatMap((section) => copy[name][section]?.items ?? copy[name][section] ?? [])
        .filter((thing) => thing?.fields));
    const names = new Set(things(one).flatMap((thing) => Object.keys(thing.fields)));
    for (const name of names)
        if (!['id', 'text', 'position'].includes(name)) yield with_((copy) => things(copy).forEach((thing) => delete thing.fields[name]));
    for (let i = 0; i < things(one).length; i++)
        for (const [name, source] of Object.entries(things(one)[i].fields)) {
            if (!['id', 'text', 'position'].includes(name)) yield with_((copy) => delete things(copy)[i].fields[name]);
            if (source.length > 4 && (name === 'content' || name === 'label')) {
                const lines = source.slice(1, -1).split('\\n');
                for (let at = 0; at < lines.length; at++)
                    yield with_((copy) => { things(copy)[i].fields[name] = `"${lines.filter((_, k) => k !== at).join('\\n')}"`; });
            }
            for (const value of plain[name] ?? []) {
                if (value === source) break;
                yield with_((copy) => { things(copy)[i].fields[name] = value; });
            }
        }
}
