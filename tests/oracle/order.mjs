// Order within one slot (merge §5), slow and plain: every rule by looking at all candidates that could win.

import { byText } from './json.mjs';

const byPlace = (x, y) => x.position - y.position || byText(x.id, y.id);
const inSlot = (items, slot) => [...items.values()].filter((item) => item.slot === slot && !item.deleted).sort(byPlace);

// The best subsequence of `list` in which each two neighbours `fit`: the longest, of those the one with the most `weight`, of those
// the one that is first in the list, compared index by index. As indices.
export const bestSubsequence = (list, fit, weight = () => 0) => {
    const better = (x, y) => {
        if (x.length !== y.length) return x.length > y.length;
        const [wx, wy] = [x, y].map((indices) => indices.reduce((sum, i) => sum + weight(list[i]), 0));
        if (wx !== wy) return wx > wy;
        const at = x.findIndex((index, i) => index !== y[i]);
        return at >= 0 && x[at] < y[at];
    };
    // The best that starts with index i: i, and then the best that starts with a later one that fits.
    const startingWith = [];
    let best = [];
    for (let i = list.length - 1; i >= 0; i--) {
        let tail = [];
        for (let k = i + 1; k < list.length; k++) {
            if (fit(list[i], list[k]) && better(startingWith[k], tail)) tail = startingWith[k];
        }
        startingWith[i] = [i, ...tail];
        if (better(startingWith[i], best)) best = startingWith[i];
    }
    return best;
};

// What a side did to a slot: {unmoved: Set of ids, common: Set, renumbered}.
export const moves = (slot, ancestor, side) => {
    const held = (id) => side.get(id)?.slot === slot && !side.get(id).deleted;
    const common = inSlot(ancestor, slot).filter((item) => held(item.id));
    const unchanged = (item) => (side.get(item.id).position === item.position ? 1 : 0);
    const indices = bestSubsequence(common, (x, y) => byPlace(side.get(x.id), side.get(y.id)) < 0, unchanged);
    const unmoved = indices.map((index) => common[index]);
    return {
        common: new Set(common.map((item) => item.id)),
        unmoved: new Set(unmoved.map((item) => item.id)),
        renumbered: unmoved.some((item) => !unchanged(item)),
    };
};

// The positions of a slot that a side renumbered: [[id, position], ...] in M's order. `ids` are live in M there; a side is {items,
// unmoved, common, renumbered}.
export const buildOrder = (slot, ids, ancestor, phone, computer) => {
    const wanted = new Set(ids);
    const isFixed = (id) => wanted.has(id) && phone.unmoved.has(id) && computer.unmoved.has(id);
    const fixed = inSlot(ancestor, slot).map((item) => item.id).filter(isFixed);

    const owner = (id) => {
        const holds = (side, alive) => side.items.get(id)?.slot === slot && !(alive && side.items.get(id).deleted);
        const moved = (side) => !side.unmoved.has(id);
        for (const alive of [true, false]) {
            const holders = [phone, computer].filter((side) => holds(side, alive));
            if (holders.length === 1) return holders[0];
            if (holders.length === 2) {
                if (moved(phone) !== moved(computer)) return moved(phone) ? phone : computer;
                return computer.items.get(id).updatedAt > phone.items.get(id).updatedAt ? computer : phone;
            }
        }
        throw new Error(`no side holds ${id}`);
    };

    // Each side's run after each fixed item, or after the top (undefined).
    const runs = new Map([undefined, ...fixed].map((id) => [id, { phone: [], computer: [] }]));
    for (const [name, side] of Object.entries({ phone, computer })) {
        let left;
        for (const { id } of [...side.items.values()].filter((item) => item.slot === slot).sort(byPlace)) {
            if (isFixed(id)) left = id;
            else if (wanted.has(id) && owner(id) === side) runs.get(left)[name].push(id);
        }
    }
    const order = [undefined, ...fixed].flatMap((id) => {
        const two = [runs.get(id).phone, runs.get(id).computer].filter((run) => run.length).sort((x, y) => byText(x[0], y[0]));
        return [...(id === undefined ? [] : [id]), ...two.flat()];
    });

    const base = computer.renumbered ? computer : phone;
    const valued = order.filter((id) => base.items.get(id)?.slot === slot && !base.items.get(id).deleted).map((id) => base.items.get(id));
    const kept = new Map(bestSubsequence(valued, (x, y) => byPlace(x, y) < 0).map((index) => [valued[index].id, valued[index].position]));
    const values = fill(order.map((id) => kept.get(id)));
    return order.map((id, i) => [id, values[i]]);
};

// Fills the gaps (undefined) between kept values, or numbers all 1, 2, 3 where that does not come out.
const fill = (kept) => {
    const values = [...kept];
    const plain = kept.map((_, i) => i + 1);
    if (kept.every((value) => value === undefined)) return plain;
    for (let i = 0; i < kept.length; i++) {
        if (kept[i] !== undefined) continue;
        let end = i;
        while (end < kept.length && kept[end] === undefined) end++;
        const [lo, hi, k] = [kept[i - 1], kept[end], end - i];
        for (let j = 1; j <= k; j++) {
            const value = lo === undefined ? hi - (k + 1 - j) : hi === undefined ? lo + j : lo + (hi - lo) * j / (k + 1);
            const left = i + j - 2 >= 0 ? values[i + j - 2] : -Infinity;
            if (!Number.isFinite(value) || value <= left || value >= (hi ?? Infinity)) return plain;
            values[i + j - 1] = value;
        }
        i = end;
    }
    return values;
};
