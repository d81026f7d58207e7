/** What `npm run soak` takes and `npm run e2e` leaves out, so that a run of the tests stays short. */

/** Whether all of it is wanted: CONTRACT=all. */
export const SOAK = process.env.CONTRACT === 'all';

/** How often it is tried that exact means exact: LEDGER_RUNS, 20 in the soak. */
export const LEDGER_RUNS = Number(process.env.LEDGER_RUNS ?? '1');
