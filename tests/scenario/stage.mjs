/* stage.mjs - what the tests of bad peers have in common: a stage, and the rest of the world that must notice nothing. */
import { assert } from './harness.mjs';

/* A server that holds something, a well-behaved phone that stays connected throughout, and another for the mischief. */
export async function stage(s, options) {
    await s.serve(options);
    const bystander = await s.phone({ deviceId: 'bystander' });
    bystander.add('lists', 0, s.text('milk'));
    bystander.add('lockedLists', 0, s.text('passport'));
    await s.confirmed(bystander, { stay: true });
    const before = (await s.cli(['export'])).stdout;
    const phone = await s.phone({ deviceId: 'mischief' });
    return {
        phone,
        bystander,
        /* The rest of the world has noticed nothing. */
        async unharmed() {
            assert.ok(bystander.connected, 'the other connection still stands');
            assert.equal((await s.cli(['export'])).stdout, before, 'the state is unchanged');
            assert.equal((await bystander.sync()).kind, 'confirmed');
        },
    };
}

export async function closesWith(phone, code, within) {
    const end = await phone.wait(['closed'], within);
    assert.equal(end.code, code, `closed with ${end.code} ${end.reason}`);
    return end;
}
