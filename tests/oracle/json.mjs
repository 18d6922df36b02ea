// A JSON reader that keeps how each value was written, which JSON.parse loses: 1.50 must come back as 1.50 (merge §1).
//
// A node is {type, raw} with raw as in the source, but for white space between tokens; besides a string has `text`, a number
// `value`, an array `items`, an object `members`, a Map from key to node.

export const parse = (source) => {
    let at = 0;
    const fail = (what) => { throw new Error(`${what} at ${at}: ${source.slice(at, at + 30)}`); };
    const space = () => { while (' \t\r\n'.includes(source[at]) && at < source.length) at++; };
    const eat = (c) => { space(); if (source[at] !== c) fail(`expected ${c}`); at++; };
    const next = () => { space(); return source[at]; };
    const token = (pattern) => {
        pattern.lastIndex = at;
        const found = pattern.exec(source);
        if (!found) fail('expected a value');
        at += found[0].length;
        return found[0];
    };
    const string = () => { space(); const raw = token(/"(?:[^"\\]|\\.)*"/y); return { type: 'string', raw, text: JSON.parse(raw) }; };
    const value = () => {
        const c = next();
        if (c === '"') return string();
        if (c === '{') {
            const members = new Map();
            const raws = [];
            for (eat('{'); next() !== '}';) {
                if (raws.length) eat(',');
                const key = string();
                eat(':');
                const node = value();
                if (members.has(key.text)) fail('repeated key');
                members.set(key.text, node);
                raws.push(`${key.raw}:${node.raw}`);
            }
            eat('}');
            return { type: 'object', raw: `{${raws.join()}}`, members };
        }
        if (c === '[') {
            const items = [];
            for (eat('['); next() !== ']';) {
                if (items.length) eat(',');
                items.push(value());
            }
            eat(']');
            return { type: 'array', raw: `[${items.map((item) => item.raw).join()}]`, items };
        }
        const raw = token(/true|false|null|-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?/y);
        return /^[a-z]/.test(raw) ? { type: raw, raw } : { type: 'number', raw, value: Number(raw) };
    };
    const node = value();
    space();
    if (at !== source.length) fail('expected the end');
    return node;
};

// Equal as JSON values, deeply: numbers as doubles, objects whatever the order of their keys.
export const same = (x, y) => {
    if (x.type !== y.type) return false;
    switch (x.type) {
    case 'string': return x.text === y.text;
    case 'number': return x.value === y.value; // -0 equals 0
    case 'array': return x.items.length === y.items.length && x.items.every((item, i) => same(item, y.items[i]));
    case 'object':
        return x.members.size === y.members.size &&
            [...x.members].every(([key, node]) => y.members.has(key) && same(node, y.members.get(key)));
    default: return true;
    }
};

// A string's canonical form without its quotation marks: what strings are compared by, as bytes.
export const bare = (text) => JSON.stringify(text).slice(1, -1);
export const byBytes = (x, y) => Buffer.compare(Buffer.from(x), Buffer.from(y));
export const byText = (x, y) => byBytes(bare(x), bare(y));

// A canonical object of what is already JSON: keys sorted by bytes, undefined left out.
export const object = (members) =>
    `{${Object.keys(members).filter((key) => members[key] !== undefined).sort(byText)
        .map((key) => `${JSON.stringify(key)}:${members[key]}`).join()}}`;
