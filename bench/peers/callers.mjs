// What all peers are measured with: `concurrency` callers, each of which begins the next workflow when its last one is through.

/** Runs `count` of them, `run(at)` giving the result of number `at`, which has to be `at + steps`; gives the milliseconds of each, sorted. */
async function runAll(run, count, concurrency, steps) {
  const times = [];
  let next = 0;
  async function caller() {
    while (next < count) {
      const at = next++;
      const began = performance.now();
      const sum = await run(at);
      times.push(performance.now() - began);
      if (sum !== at + steps) throw new Error(`workflow ${at} gave ${sum}`);
    }
  }
  await Promise.all(Array.from({ length: concurrency }, caller));
  return times.sort((one, other) => one - other);
}

/** Measures `workflows` of them after a tenth to warm up, and prints what came of it as JSON. */
export async function measure(run, workflows, concurrency, steps) {
  await runAll(run, Math.ceil(workflows / 10), concurrency, steps);
  const began = performance.now();
  const times = await runAll(run, workflows, concurrency, steps);
  const seconds = (performance.now() - began) / 1000;
  process.stdout.write(`${JSON.stringify({ per_second: workflows / seconds, p50_ms: times[Math.floor(times.length / 2)] })}\n`);
}
