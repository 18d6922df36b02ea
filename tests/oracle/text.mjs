// The line merge of scratchpads (merge §4), slow and plain. The rules do not say which of several longest common subsequences a
// side is aligned by, so all are tried, and all outcomes that they allow are told.

import { byText } from './json.mjs';

const split = (text) => {
    const lines = text.split('\n');
    const ends = text.endsWith('\n');
    if (ends || text === '') lines.pop();
    return { lines, ends };
};

// All longest alignments of two lists of lines, each a list of [index in x, index in y]. At most `limit`.
const alignments = (x, y, limit = 400) => {
    const length = Array.from({ length: x.length + 1 }, () => new Array(y.length + 1).fill(0));
    for (let i = x.length - 1; i >= 0; i--) {
        for (let k = y.length - 1; k >= 0; k--)
            length[i][k] = x[i] === y[k] ? length[i + 1][k + 1] + 1 : Math.max(length[i + 1][k], length[i][k + 1]);
    }
    const found = [];
    const walk = (i, k, pairs) => {
        if (found.length >= limit) return;
        const left = length[i][k];
        if (left === 0) {
            found.push(pairs);
            return;
        }
        // The next pair may be any that leaves a longest rest.
        for (let ii = i; ii < x.length; ii++) {
            for (let kk = k; kk < y.length; kk++) {
                if (x[ii] === y[kk] && length[ii + 1][kk + 1] === left - 1) walk(ii + 1, kk + 1, [...pairs, [ii, kk]]);
            }
        }
    };
    walk(0, 0, []);
    return found;
};

// What an alignment leaves: {from, to: lines of the ancestor, with: lines instead}.
const hunks = (pairs, ancestor, side) => {
    const found = [];
    let [i, k] = [0, 0];
    for (const [ii, kk] of [...pairs, [ancestor.length, side.length]]) {
        if (ii > i || kk > k) found.push({ from: i, to: ii, with: side.slice(k, kk) });
        [i, k] = [ii + 1, kk + 1];
    }
    return found;
};

// Undefined where hunks overlap or touch.
const apply = (ancestor, phone, computer, phoneFirst) => {
    const all = [];
    for (const one of phone) {
        for (const other of computer) {
            if (one.from > other.to || other.from > one.to) continue;
            if (one.from === other.from && one.to === other.to && one.with.join('\n') === other.with.join('\n') &&
                one.with.length === other.with.length) {
                other.alike = true;
            } else if (one.from === one.to && other.from === other.to) {
                one.also = other;
                other.alike = true;
            } else {
                return undefined;
            }
        }
        all.push(one);
    }
    for (const other of computer) if (!other.alike) all.push(other);
    all.sort((x, y) => y.from - x.from);
    const lines = [...ancestor];
    for (const one of all) {
        const both = one.also ? (phoneFirst(one.with, one.also.with) ? [...one.with, ...one.also.with] : [...one.also.with, ...one.with])
            : one.with;
        lines.splice(one.from, one.to - one.from, ...both);
    }
    return lines;
};

// All outcomes that the rules allow, undefined standing for "does not merge by lines".
export const mergeText = (ancestor, phone, computer, phoneTime, computerTime) => {
    const [a, p, c] = [ancestor, phone, computer].map(split);
    // By bytes of the canonical form (merge §1), each line with its end.
    const whole = (lines) => lines.map((line) => `${line}\n`).join('');
    const phoneFirst = (x, y) => (phoneTime !== computerTime ? phoneTime < computerTime : byText(whole(x), whole(y)) <= 0);
    const ends = p.ends !== a.ends ? p.ends : c.ends;
    const outcomes = new Set();
    for (const onPhone of alignments(a.lines, p.lines)) {
        for (const onComputer of alignments(a.lines, c.lines)) {
            const lines = apply(a.lines, hunks(onPhone, a.lines, p.lines), hunks(onComputer, a.lines, c.lines), phoneFirst);
            outcomes.add(lines && (lines.length ? lines.join('\n') + (ends ? '\n' : '') : ''));
        }
    }
    return [...outcomes];
};
