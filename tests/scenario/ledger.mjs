/*
 * ledger.mjs - a phone's and a computer's random edits, and an account of what must come of them.
 *
 *     const ledger = new Ledger(s, phone, random);
 *     ledger.editPhone(round); await ledger.editComputer(round);
 *     ... a sync, cut anywhere ...
 *     ledger.check(await s.export());        // when both have agreed
 *
 * Each side edits and deletes only what it made itself, so that the outcome is known whatever is merged when.
 */
import { assert, essence, sleep } from './harness.mjs';

export class Ledger {
    constructor(s, phone, random) {
        Object.assign(this, { s, phone, random });
        this.rows = new Map(); // id -> its text, or null where it was deleted
        this.owned = { phone: [], computer: [] };
        this.pads = Array.from({ length: 6 }, () => '');
        this.unsure = new Set(); // texts of items that a command added without being told so
        for (let i = 0; i < 12; i++) this.phoneAdds(i % 2 ? 'lists' : 'lockedLists', i % 6, s.text(`start ${i}`));
    }

    phoneAdds(section, slot, text) {
        const { id } = this.phone.add(section, slot, text);
        this.rows.set(id, text);
        this.owned.phone.push(id);
    }

    pick(side) {
        const alive = this.owned[side].filter((id) => this.rows.get(id) !== null);
        return alive[Math.floor(this.random() * alive.length)];
    }

    /* Returns the text of an item that it adds. */
    editPhone(round) {
        const { s, phone, rows } = this;
        const text = s.text(`phone ${round}`);
        this.phoneAdds('lists', round % 6, text);
        const edited = this.pick('phone');
        phone.edit(edited, s.text(`phone edit ${round}`));
        rows.set(edited, s.text(`phone edit ${round}`));
        if (this.random() < 0.4) {
            const dead = this.pick('phone');
            phone.remove(dead);
            rows.set(dead, null);
        }
        this.pads[round % 3] = s.text(`pad phone ${round}`);
        phone.setPad(round % 3, this.pads[round % 3]);
        return text;
    }

    /* Resolves when all of it was acknowledged. */
    async editComputer(round) {
        const { s, rows } = this;
        const text = s.text(`computer ${round}`);
        const made = await s.add(text, ['--slot', String((round % 6) + 1), ...(this.random() < 0.3 ? ['--locked'] : [])]);
        rows.set(made.id, text);
        this.owned.computer.push(made.id);
        const mine = this.pick('computer');
        if (this.random() < 0.6) {
            await s.edit(mine, s.text(`computer edit ${round}`));
            rows.set(mine, s.text(`computer edit ${round}`));
        } else if (this.random() < 0.5) {
            await s.cli(['rm', mine]);
            rows.set(mine, null);
        }
    }

    /*
     * Adds items by commands, `pause` ms between two, until one is not acknowledged; what is acknowledged when `late()` says so
     * counts for nothing.
     */
    async addUntilRefused(round, late = () => false, pause = 0) {
        for (let i = 0; ; i++) {
            const text = this.s.text(`computer ${round} ${i}`);
            this.s.planted.add(text);
            this.unsure.add(text);
            const { status, stdout } = await this.s.cli(['add', '--json', text], { expect: null });
            if (status !== 0 || late()) return i;
            this.unsure.delete(text);
            const { id } = JSON.parse(stdout);
            this.rows.set(id, text);
            this.owned.computer.push(id);
            if (pause > 0) await sleep(pause);
        }
    }

    /* `state` holds what each edit made, and nothing else; with `only`, what that side's edits made. */
    check(state, only) {
        const { live } = essence(state);
        const found = new Map(Object.entries(live).map(([key, item]) => [key.split(' ')[1], item.text]));
        for (const [id, text] of this.rows)
            if (!only || this.owned[only].includes(id)) assert.equal(found.get(id) ?? null, text, `item ${id}`);
        if (only) return;
        const extra = [...found].filter(([id]) => !this.rows.has(id));
        for (const [, text] of extra) assert.ok(this.unsure.has(text), `an item that nobody made: ${text}`);
        for (let i = 0; i < 3; i++) assert.equal(state.scratchpad[i].content, this.pads[i]);
    }
}
