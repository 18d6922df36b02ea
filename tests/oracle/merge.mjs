// The merge once more, slow and plain, written from the rules (merge/README.md) and not from the engine's code: what
// compare.mjs holds the engine against. States come in as text, the result document (merge §9) goes out as text.
//
// It trusts its input: what a state may not hold, the engine's fixtures check.

import { bare, byBytes, byText, object, parse, same } from './json.mjs';
import { mergeText } from './text.mjs';
import { buildOrder, moves } from './order.mjs';

const ITEMS = ['lists', 'lockedLists'];
const ENTRIES = ['listsCategories', 'lockedListsCategories', 'scratchpad', 'scratchpadCategories'];
const SECTIONS = [...ITEMS, ...ENTRIES]; // the report's order
const NULL = { ...parse('null'), missing: true };
const LAST_TIME = 2 ** 53 - 1;

const textField = (section) => (ITEMS.includes(section) ? 'text' : section === 'scratchpad' ? 'content' : 'label');

// ---- §1: reading ----

const time = (node) => (node && node.type === 'number' ? node.value : 0);

// A field that is not there counts as null; but times count as 0.
const ZERO = { ...parse('0'), missing: true };
const field = (thing, name) => thing.fields.get(name) ?? (name === 'createdAt' ? ZERO : NULL);

// The fields of an item or entry, those that the rules know in canonical form.
const readFields = (node, strings) => {
    const fields = new Map(node.members);
    for (const name of strings) if (fields.has(name)) fields.set(name, { ...fields.get(name), raw: JSON.stringify(fields.get(name).text) });
    return fields;
};

const readItem = (node, slot) => {
    const fields = readFields(node, ['id', 'text']);
    if (fields.has('createdAt')) fields.set('createdAt', { ...fields.get('createdAt'), raw: String(time(fields.get('createdAt')) + 0) });
    const deleted = fields.get('deleted')?.type === 'true';
    const at = fields.get('deletedAt');
    return {
        fields, slot, id: fields.get('id').text, position: fields.get('position').value,
        updatedAt: time(fields.get('updatedAt')), datesUpdate: fields.has('updatedAt'),
        deleted, deletedAt: at && at.type === 'number' ? at.value : -1, // -1: null
    };
};

const readEntry = (strings) => (node) => {
    const fields = readFields(node, strings);
    const updatedAt = time(fields.get('updatedAt'));
    // Dated or not is a question of what the side wrote: a clock that is put right makes no factory default.
    return { fields, updatedAt, dated: updatedAt > 0, datesUpdate: fields.has('updatedAt') };
};

// {sections: {key: {slots, items: Map by id} or {entries}}, unknown: Map, duplicates}; a section without a view is not there.
const readState = (source) => {
    const state = { sections: {}, unknown: new Map(), duplicates: 0 };
    for (const [key, node] of parse(source).members) {
        if (node.type === 'null') continue;
        if (ENTRIES.includes(key)) {
            state.sections[key] = { entries: node.items.map(readEntry([textField(key), ...(key === 'scratchpad' ? [] : ['section'])])) };
        } else if (ITEMS.includes(key)) {
            const items = new Map();
            node.items.forEach((slotNode, slot) => slotNode.items.forEach((itemNode) => {
                const item = readItem(itemNode, slot);
                const other = items.get(item.id);
                if (other) state.duplicates++;
                if (!other || item.updatedAt > other.updatedAt) items.set(item.id, item);
            }));
            state.sections[key] = { slots: node.items.length, items };
        } else {
            state.unknown.set(key, node);
        }
    }
    return state;
};

// ---- §3: one field ----

// Which of three says what M has: {from: 'ancestor' | 'phone' | 'computer', recent?, tie?}.
const decide = (a, p, c, phoneTime, computerTime, equal = same) => {
    // Of equal values one that is there, then the one whose bytes come first.
    const firstOf = () => (p.missing || (!c.missing && byBytes(p.raw ?? '', c.raw ?? '') > 0) ? 'computer' : 'phone');
    if (a === undefined && equal(p, c)) return { from: firstOf() };
    const phoneChanged = a === undefined || !equal(a, p);
    const computerChanged = a === undefined || !equal(a, c);
    if (!phoneChanged && !computerChanged) return { from: 'ancestor' };
    if (!computerChanged) return { from: 'phone' };
    if (!phoneChanged) return { from: 'computer' };
    if (equal(p, c)) return { from: firstOf() };
    if (phoneTime !== computerTime) return { from: phoneTime > computerTime ? 'phone' : 'computer', recent: true };
    return { from: 'phone', tie: true };
};

const known = ['id', 'position', 'updatedAt', 'deleted', 'deletedAt', 'createdAt'];
const openFields = (...things) =>
    [...new Set(things.flatMap((thing) => (thing ? [...thing.fields.keys()] : [])))].filter((name) => !known.includes(name)).sort(byText);

// A tie's key, by which a pick finds it.
const tieKey = (section, slot, id, name) => JSON.stringify([section, slot, id ?? null, name]);

// ---- §2, §3, §5: one item that stays in M ----

// a, p, c: the item in each, undefined where absent; at least one of p and c is there. dead: what §2 says of M.
const mergeItem = (job, section, a, p, c, dead) => {
    if (!p || !c) {
        return { ...(p ?? c), ties: [] }; // nothing to merge with: as it is
    }
    const of = { ancestor: a, phone: p, computer: c };
    const times = [p.updatedAt, c.updatedAt];
    const m = { id: p.id, fields: new Map(), ties: [], deleted: dead, updatedAt: Math.max(...times) };
    const ask = (name, decision, phoneValue, computerValue) => {
        if (decision.recent) m.recent = true;
        if (!decision.tie || dead) return decision.from;
        m.ties.push({ name, phoneValue, computerValue });
        return 'phone';
    };
    // The slot first: a pick of any field names the provisional one.
    const slotDecision = decide(a?.slot, p.slot, c.slot, ...times, Object.is);
    m.provisionalSlot = m.slot = of[ask('slot', slotDecision, String(p.slot), String(c.slot))].slot;
    for (const name of openFields(a, p, c)) {
        const [va, vp, vc] = [a && field(a, name), field(p, name), field(c, name)];
        take(m, of[ask(name, decide(va, vp, vc, ...times), written(name, p), written(name, c))], name);
    }
    m.context = m.fields.get('text').text;
    for (const tie of m.ties) {
        const pick = job.pick(section, m.provisionalSlot, m.id, tie.name);
        if (!pick) continue;
        if (tie.name === 'slot') m.slot = of[pick].slot;
        else take(m, of[pick], tie.name);
    }
    // createdAt: like the others, but a tie takes the lesser.
    const created = [a, p, c].map((item) => item && field(item, 'createdAt'));
    const createdDecision = decide(...created, ...times);
    if (createdDecision.tie) createdDecision.from = created[1].value <= created[2].value ? 'phone' : 'computer';
    take(m, of[createdDecision.from], 'createdAt');
    m.datesUpdate = p.updatedAt === c.updatedAt ? p.datesUpdate || c.datesUpdate
        : p.updatedAt > c.updatedAt ? p.datesUpdate : c.datesUpdate;
    // The deletion pair is one value; of two new ones the greater.
    const pairs = [a, p, c].map((item) => item && { raw: '', deleted: item.deleted, at: item.deletedAt });
    const dies = (x) => x && x.deleted === dead;
    if (dies(pairs[1]) && dies(pairs[2])) {
        const pair = decide(...pairs, 0, 0, (x, y) => x.deleted === y.deleted && x.at === y.at);
        m.deletedAt = pair.tie ? Math.max(p.deletedAt, c.deletedAt) : of[pair.from].deletedAt;
    } else {
        m.deletedAt = dies(pairs[1]) ? p.deletedAt : c.deletedAt;
    }
    // The position is the slot's: it merges only where both hold the item in M's slot.
    if (p.slot === m.slot && c.slot === m.slot) {
        const inSlot = a && a.slot === m.slot ? a.position : undefined;
        m.position = of[decide(inSlot, p.position, c.position, ...times, (x, y) => x === y).from].position;
    } else {
        m.position = (p.slot === m.slot ? p : c).position;
    }
    return m;
};

const take = (m, from, name) => {
    if (from.fields.has(name)) m.fields.set(name, from.fields.get(name));
    else m.fields.delete(name);
};

// What §2's table says of one id: 'live', 'dead' or undefined for gone.
const presence = (a, p, c) => {
    const state = (item) => (!item ? 'absent' : item.deleted ? 'dead' : 'live');
    const [phone, computer] = [state(p), state(c)];
    const either = (what) => phone === what || computer === what;
    switch (state(a)) {
    case 'absent': return either('dead') ? 'dead' : 'live';
    case 'live': return either('absent') ? undefined : either('dead') ? 'dead' : 'live';
    default: // dead
        if (!either('live')) return either('absent') ? undefined : 'dead';
        if (!either('dead')) return 'live';
        return (phone === 'dead' ? p : c).deletedAt > a.deletedAt ? 'dead' : 'live';
    }
};

const mergeItems = (job, section, a, p, c) => {
    const merged = new Map();
    for (const id of new Set([...p.items.keys(), ...c.items.keys()])) {
        const inA = a?.items.get(id);
        let [inP, inC] = [p.items.get(id), c.items.get(id)];
        if (job.keepAbsent && inA) { inP ??= inA; inC ??= inA; }
        const will = presence(inA, inP, inC);
        if (will) merged.set(id, mergeItem(job, section, inA, inP, inC, will === 'dead'));
    }
    const slots = Math.max(a?.slots ?? 0, p.slots, c.slots);
    if (a) {
        const side = (view) => (job.keepAbsent
            ? { slots: view.slots, items: new Map([...a.items].filter(([id]) => merged.has(id)).concat([...view.items])) } : view);
        for (let slot = 0; slot < slots; slot++) orderSlot(slot, merged, a, side(p), side(c));
    }
    return { slots, items: merged };
};

// ---- §5: one slot ----

const orderSlot = (slot, merged, a, p, c) => {
    const phone = moves(slot, a.items, p.items);
    const computer = moves(slot, a.items, c.items);
    if (!phone.renumbered && !computer.renumbered) return;
    const live = [...merged.values()].filter((item) => item.slot === slot && !item.deleted);
    for (const [id, position] of buildOrder(slot, live.map((item) => item.id), a.items,
        { items: p.items, ...phone }, { items: c.items, ...computer })) merged.get(id).position = position;
};

// ---- §3, §4: categories and scratchpads ----

const mergeEntry = (job, section, slot, a, p, c) => {
    if (!p && !c) return { ...a, ties: [] };
    p ??= a ?? c;
    c ??= a ?? p;
    // A factory default is no edit.
    if (a && a.updatedAt > 0 && p.dated === false) p = a;
    if (a && a.updatedAt > 0 && c.dated === false) c = a;
    const of = { ancestor: a, phone: p, computer: c };
    const times = [p.updatedAt, c.updatedAt];
    const m = { fields: new Map(), ties: [], updatedAt: Math.max(...times) };
    m.datesUpdate = p.updatedAt === c.updatedAt ? p.datesUpdate || c.datesUpdate
        : p.updatedAt > c.updatedAt ? p.datesUpdate : c.datesUpdate;
    for (const name of openFields(a, p, c)) {
        const values = [a && field(a, name), field(p, name), field(c, name)];
        const decision = decide(...values, ...times);
        if ((decision.recent || decision.tie) && a && section === 'scratchpad' && name === 'content' && job.lines &&
            values.every((value) => value.type === 'string')) {
            const texts = values.map((value) => value.text);
            const outcomes = mergeText(...texts, ...times);
            // `choice` has one digit for each text that may merge in several ways.
            const text = outcomes[Math.floor(job.choice / job.freedom) % outcomes.length];
            job.freedom *= outcomes.length;
            if (text !== undefined) {
                m.fields.set(name, parse(JSON.stringify(text)));
                m.lineMerged = true;
                continue;
            }
        }
        const silent = name === 'section' || (!p.dated && !c.dated);
        if (decision.recent) m.recent = true;
        if (decision.tie && !silent) m.ties.push({ name, phoneValue: written(name, p), computerValue: written(name, c) });
        take(m, of[decision.from], name);
    }
    m.context = m.fields.get(textField(section))?.text ?? '';
    for (const tie of m.ties) {
        const pick = job.pick(section, slot, undefined, tie.name);
        if (pick) take(m, of[pick], tie.name);
    }
    return m;
};

// ---- §1: the canonical form ----

// A field as JSON; known ones were made canonical when they were read.
const written = (name, thing) => thing.fields.get(name)?.raw ?? 'null';

const writeThing = (thing, isItem) => {
    const members = {};
    for (const name of thing.fields.keys()) members[name] = written(name, thing);
    if (thing.datesUpdate) members.updatedAt = String(thing.updatedAt);
    if (isItem) {
        members.id = JSON.stringify(thing.id);
        members.position = String(thing.position + 0);
        members.deleted = String(thing.deleted);
        members.deletedAt = thing.deletedAt < 0 ? 'null' : String(thing.deletedAt);
    }
    return object(members);
};

export const byPlace = (x, y) => x.position - y.position || byText(x.id, y.id);

const writeSection = (section) => {
    if (section.entries) return `[${section.entries.map((entry) => writeThing(entry, false)).join()}]`;
    const slots = Array.from({ length: section.slots }, (_, slot) => {
        const items = [...section.items.values()].filter((item) => item.slot === slot);
        const live = items.filter((item) => !item.deleted).sort(byPlace);
        const dead = items.filter((item) => item.deleted).sort((x, y) => byText(x.id, y.id));
        return `[${[...live, ...dead].map((item) => writeThing({ ...item, fields: item.fields }, true)).join()}]`;
    });
    return `[${slots.join()}]`;
};

// ---- §9: what each side will see change ----

const COUNTS = ['addedFromPhone', 'addedFromComputer', 'editedField', 'editedLWW', 'tombstoned', 'removed', 'restored', 'ties'];

const reportThing = (report, section, slot, id, changes, m) => {
    if (changes.some((change) => change.kind === 'moved')) report.counts.moved++;
    const fits = { editedLWW: m?.recent && changes.some((change) => change.kind === 'edited' || change.slotChanged), ties: m?.ties?.length > 0 };
    for (const { side, kind } of changes) {
        if (kind === 'added') fits[side === 'phone' ? 'addedFromComputer' : 'addedFromPhone'] = true;
        else if (kind === 'edited') fits.editedField = true;
        else if (kind !== 'moved') fits[kind] = true;
    }
    const last = COUNTS.filter((name) => fits[name]).pop();
    if (last) report.counts[last]++;
    for (const { side, kind, name, at = slot } of changes)
        report.changes.push(object({
            side: JSON.stringify(side), kind: JSON.stringify(kind), section: JSON.stringify(section), slot: String(at),
            id: id === undefined ? undefined : JSON.stringify(id), field: name === undefined ? undefined : JSON.stringify(name),
        }));
    for (const tie of (m?.ties ?? []).sort((x, y) => byText(x.name, y.name)))
        report.ties.push(object({
            section: JSON.stringify(section), slot: String(m.provisionalSlot ?? slot),
            itemId: id === undefined ? undefined : JSON.stringify(id), field: JSON.stringify(tie.name),
            phoneValue: tie.phoneValue, computerValue: tie.computerValue, itemContext: JSON.stringify(m.context),
        }));
};

const differing = (x, y, names) => names.filter((name) => !same(field(x, name), field(y, name)));

const itemChanges = (side, a, had, m) => {
    if (!m || m.deleted) {
        if (!had || had.deleted) return [];
        return [{ side, kind: m ? 'tombstoned' : 'removed', at: m ? m.slot : had.slot }];
    }
    if (!had) return [{ side, kind: a?.deleted ? 'restored' : 'added' }];
    if (had.deleted) return [{ side, kind: 'restored' }];
    const names = differing(had, m, [...openFields(had, m), 'createdAt']);
    if (had.deletedAt !== m.deletedAt) names.push('deletedAt');
    const changes = names.sort(byText).map((name) => ({ side, kind: 'edited', name }));
    if (had.slot !== m.slot || had.position !== m.position) changes.push({ side, kind: 'moved', slotChanged: had.slot !== m.slot });
    return changes;
};

const reportItems = (report, section, a, p, c, m) => {
    const slotOf = (id) => (m.items.get(id) ?? p.items.get(id) ?? c.items.get(id)).slot;
    const ids = new Set([...p.items.keys(), ...c.items.keys()]);
    for (const id of [...ids].sort((x, y) => slotOf(x) - slotOf(y) || byText(x, y))) {
        const [inA, inP, inC, inM] = [a?.items.get(id), p.items.get(id), c.items.get(id), m.items.get(id)];
        const changes = [...itemChanges('phone', inA, inP, inM), ...itemChanges('computer', inA, inC, inM)];
        reportThing(report, section, slotOf(id), id, changes, inM);
    }
};

const reportEntries = (report, section, p, c, m) => m.entries.forEach((entry, slot) => {
    const changes = [['phone', p?.entries[slot]], ['computer', c?.entries[slot]]].flatMap(([side, had]) =>
        (had ? differing(had, entry, openFields(had, entry)).map((name) => ({ side, kind: 'edited', name })) : []));
    reportThing(report, section, slot, undefined, changes, entry);
    if (entry.lineMerged) report.counts.scratchpadLineMerged++;
});

// ---- §8 ----

const measure = (against, p, c) => {
    const count = { known: 0, phoneMissing: 0, computerMissing: 0 };
    for (const section of ITEMS) {
        for (const [id, item] of against.sections[section]?.items ?? []) {
            if (item.deleted) continue;
            count.known++;
            const [inP, inC] = [p, c].map((side) => (side.sections[section] ? side.sections[section].items.get(id) : item));
            if (!inP && inC && !inC.deleted) count.phoneMissing++;
            if (!inC && inP && !inP.deleted) count.computerMissing++;
        }
    }
    return count;
};

// ---- the whole ----

// The phone's clock, put right: only what it dated since the ancestor; what was never dated stays so.
const putClockRight = (phone, ancestor, offset) => {
    const shift = (thing, was) => {
        if (thing.updatedAt && thing.updatedAt !== was?.updatedAt)
            thing.updatedAt = Math.min(LAST_TIME, Math.max(0, thing.updatedAt + offset));
    };
    for (const [key, section] of Object.entries(phone.sections)) {
        const was = ancestor?.sections[key];
        if (section.items) for (const [id, item] of section.items) shift(item, was?.items.get(id));
        else section.entries.forEach((entry, slot) => shift(entry, was?.entries[slot]));
    }
};

/*
 * {ancestor?, phone, computer, guard?: texts; picks?: parsed; options: {clockOffset, text, threshold, large}} -> the result, as text.
 * `choice`: which outcome of §4 to take where the rules leave several; `free.outcomes` is set to how many there were.
 */
export const merge = ({ ancestor, phone, computer, guard, picks, options = {} }, choice = 0, free = {}) => {
    const [A, P, C] = [ancestor, phone, computer].map((source) => source !== undefined && source !== null ? readState(source) : undefined);
    if (options.clockOffset) putClockRight(P, A, options.clockOffset);
    const job = {
        lines: options.text !== 'whole', choice, freedom: 1, keepAbsent: false,
        pick: (...names) => picks?.find((pick) => tieKey(pick.section, pick.slot, pick.itemId, pick.field) === tieKey(...names))?.pick,
    };
    const report = { changes: [], ties: [], counts: Object.fromEntries([...COUNTS, 'moved', 'scratchpadLineMerged', 'duplicates'].map((name) => [name, 0])) };
    const write = (status, snapshot, large) => object({
        status: JSON.stringify(status), snapshot, large_change: large && object(large), ties: `[${picks ? '' : report.ties.join()}]`,
        summary: object({ changes: `[${report.changes.join()}]`, counts: object(report.counts) }),
    });

    report.counts.duplicates = P.duplicates + C.duplicates;
    let wholesale;
    const against = A ?? (guard ? readState(guard) : undefined);
    if (against) {
        const count = measure(against, P, C);
        const limit = (options.threshold ?? 0.8) * count.known;
        const isLarge = (missing) => missing > 0 && missing >= limit; // where nothing is missing, nothing is large: L1
        if (isLarge(count.phoneMissing) || isLarge(count.computerMissing)) {
            if (!options.large) return write('large_change', 'null', count);
            if (options.large === 'both') job.keepAbsent = true;
            else wholesale = options.large;
        }
    }

    const M = {};
    for (const section of SECTIONS) {
        const a = A?.sections[section];
        let [p, c] = [P.sections[section], C.sections[section]];
        const seen = [p, c];
        if (!a && !p && !c) continue;
        if (ITEMS.includes(section)) {
            p ??= a ?? c;
            c ??= a ?? p;
            M[section] = wholesale
                ? { slots: Math.max(a?.slots ?? 0, p.slots, c.slots), items: new Map((wholesale === 'phone' ? seen[0] ?? c : seen[1] ?? p).items) }
                : mergeItems(job, section, a, p, c);
            reportItems(report, section, a, p, c, M[section]);
        } else {
            const length = Math.max(...[a, p, c].map((view) => view?.entries.length ?? 0));
            const at = (view, slot) => view?.entries[slot];
            const one = (slot) => {
                if (!wholesale) return mergeEntry(job, section, slot, at(a, slot), at(p, slot), at(c, slot));
                const [first, second] = wholesale === 'phone' ? [p, c] : [c, p];
                return at(first, slot) ?? at(second, slot) ?? at(a, slot);
            };
            M[section] = { entries: Array.from({ length }, (_, slot) => one(slot)) };
            reportEntries(report, section, p, c, M[section]);
        }
    }
    const snapshot = Object.fromEntries(Object.entries(M).map(([key, section]) => [key, writeSection(section)]));
    for (const key of new Set([A, P, C].flatMap((state) => (state ? [...state.unknown.keys()] : [])))) {
        const a = A?.unknown.get(key);
        let [p, c] = [P.unknown.get(key), C.unknown.get(key)];
        if (wholesale) {
            const [first, second] = wholesale === 'phone' ? [p, c] : [c, p];
            snapshot[key] = (first ?? second ?? a).raw;
            continue;
        }
        p ??= a ?? c;
        c ??= a ?? p;
        const decision = decide(a, p, c, 0, 0);
        snapshot[key] = (decision.tie ? c : { ancestor: a, phone: p, computer: c }[decision.from]).raw;
    }
    free.outcomes = job.freedom;
    return write(report.ties.length && !picks ? 'conflict' : 'merged', object(snapshot));
};

// The ties of a result, to make picks from.
export const tiesOf = (result) => JSON.parse(result).ties;
