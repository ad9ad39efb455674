// Measures what docs/ui.md says about speed, on the real server; not part of the tests, whose machines are shared. `perf.mjs [RUNS]`. Fails where the main
// thread does more for a frame than leaves room for 60 of them a second, or stands still: that holds beside other work, too.
import { ADMIN } from './access.mjs';
import { startBrowser } from './browser.mjs';
import { startServer } from './server.mjs';
import { call } from './work.mjs';

const RUNS = Number(process.argv[2] ?? 10_000);
const head = (name) => `document: {dsl: '1.0.3', namespace: perf, name: ${name}, version: '1.0.0'}\ndo:\n`;
const lanes = (task) =>
  `  - all:\n      fork:\n        branches:\n${Array.from({ length: 20 }, (_none, lane) => `          - lane${lane}: {do: [${Array.from({ length: 14 }, (_n, at) => `{t${at}: ${task}}`).join(', ')}]}\n`).join('')}`;
const many = (count, task) => Array.from({ length: count }, (_none, at) => `  - t${at}: ${task}\n`).join('');

/**
 * Frames while something happens: how many a second, the longest, how long the main thread was blocked, and what it did for each frame,
 * which says more than frames do where other work takes the processor.
 */
async function frames(page, act) {
  const chrome = await page.context().newCDPSession(page);
  // The thread's own time: what others take of the processor does not count.
  await chrome.send('Performance.enable', { timeDomain: 'threadTicks' });
  const measured = async () => Object.fromEntries((await chrome.send('Performance.getMetrics')).metrics.map(({ name, value }) => [name, value * 1000]));
  const before = await measured();
  await page.evaluate(() => {
    window.seen = [];
    window.blocked = 0;
    window.watching = true;
    window.longTasks = new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) window.blocked += entry.duration;
    });
    window.longTasks.observe({ type: 'longtask' });
    const next = (time) => {
      window.seen.push(time);
      if (window.watching) requestAnimationFrame(next);
    };
    requestAnimationFrame(next);
  });
  await act();
  const after = await measured();
  await chrome.detach();
  const spent = Object.fromEntries(['TaskDuration', 'ScriptDuration', 'RecalcStyleDuration', 'LayoutDuration'].map((name) => [name, after[name] - before[name]]));
  const seen = await page.evaluate(() => {
    window.watching = false;
    window.longTasks.disconnect();
    const gaps = window.seen.slice(1).map((time, at) => time - window.seen[at]);
    const total = gaps.reduce((sum, gap) => sum + gap, 0);
    gaps.sort((a, b) => a - b);
    return {
      count: gaps.length,
      fps: Math.round((gaps.length / total) * 10_000) / 10,
      p95: Math.round(gaps[Math.floor(gaps.length * 0.95)] ?? 0),
      worst: Math.round(gaps.at(-1) ?? 0),
      blocked: Math.round(window.blocked),
    };
  });
  const each = (name) => Math.round((spent[name] / seen.count) * 100) / 100;
  return { ...seen, work: each('TaskDuration'), script: each('ScriptDuration'), style: each('RecalcStyleDuration'), layout: each('LayoutDuration') };
}

/** Milliseconds of the 16.7 that a frame has: the rest is the browser's, to paint it. */
const MOST = 10;

function say(what, { fps, p95, worst, blocked, work, script, style, layout }) {
  if (work > MOST || blocked > 200) process.exitCode = 1;
  console.log(`${what}: ${fps} frames/s, 95 % of frames within ${p95} ms, longest ${worst} ms, long tasks ${blocked} ms; of the main thread ${work} ms a frame (script ${script}, style ${style}, layout ${layout})`);
}

async function pan(page, seconds) {
  const box = await page.locator('.react-flow').boundingBox();
  const [x, y] = [box.x + box.width / 2, box.y + box.height - 12];
  await page.mouse.move(x, y);
  await page.mouse.down();
  const until = Date.now() + seconds * 1000;
  for (let step = 0; Date.now() < until; step += 1) {
    await page.mouse.move(x + 120 * Math.sin(step / 12), y + 90 * Math.cos(step / 15));
    await page.evaluate(() => new Promise(requestAnimationFrame));
  }
  await page.mouse.up();
}

const server = await startServer();
const browser = await startBrowser(server.base);
try {
  const page = await browser.person();
  await page.goto(server.setupLink());
  await page.getByLabel('Your name').fill(ADMIN.name);
  await page.getByLabel('E-mail address').fill(ADMIN.email);
  await page.getByLabel('Password').fill(ADMIN.password);
  await page.getByRole('button', { name: 'Create the administrator' }).click();
  await page.getByRole('heading', { name: 'Home', level: 1 }).waitFor();
  const make = async (definition) => (await call(page, 'POST', '/api/workflows', { definition })).body.id;

  const wide = await make(head('wide') + lanes('{set: {x: 1}}'));
  const opened = Date.now();
  const run = (await call(page, 'POST', `/api/workflows/${wide}/execute`, { wait: true })).body.id;
  await page.goto(`/runs/${run}`);
  await page.locator('.react-flow__node').nth(20).waitFor();
  console.log(`a run of 301 tasks is started and drawn after ${Date.now() - opened} ms, ${await page.locator('.react-flow__node').count()} nodes in the page`);
  say('pan, all 301 tasks in view', await frames(page, () => pan(page, 4)));
  for (let at = 0; at < 4; at += 1) await page.getByRole('button', { name: /zoom in/i }).click();
  say('pan, zoomed in', await frames(page, () => pan(page, 4)));

  // 20 lanes, of which each tells of a task's end and of the next one's beginning every 0.8 s.
  const busy = await make(head('busy') + lanes('{wait: {milliseconds: 800}}'));
  let updates = 0;
  page.once('websocket', (socket) => socket.on('framereceived', ({ payload }) => (updates += String(payload).includes('"run.task"') ? 1 : 0)));
  const working = (await call(page, 'POST', `/api/workflows/${busy}/execute`, {})).body.id;
  await page.goto(`/runs/${working}`);
  await page.locator('.react-flow__node').nth(20).waitFor();
  const [told, begun] = [updates, Date.now()];
  const panned = await frames(page, () => pan(page, 5));
  say(`pan over 301 tasks while ${Math.round(((updates - told) / (Date.now() - begun)) * 1000)} updates a second arrive`, panned);

  const live = await make(head('live') + many(200, '{wait: {milliseconds: 15}}'));
  const going = (await call(page, 'POST', `/api/workflows/${live}/execute`, {})).body.id;
  await page.goto(`/runs/${going}`);
  await page.locator('.react-flow__node').nth(20).waitFor();
  say('a run of 200 tasks, live', await frames(page, () => page.waitForTimeout(4000)));

  const small = await make(`${head('small')}  - a: {set: {x: 1}}\n`);
  await page.evaluate(
    async ([id, count]) => {
      const token = document.cookie.split('; ').find((part) => part.includes('pawl_csrf='))?.split('=').slice(1).join('=') ?? '';
      let left = count;
      const worker = async () => {
        while (left-- > 0) await fetch(`/api/workflows/${id}/execute`, { method: 'POST', headers: { 'Content-Type': 'application/json', 'X-CSRF-Token': token }, body: '{}' });
      };
      await Promise.all(Array.from({ length: 6 }, worker));
    },
    [small, RUNS],
  );
  await page.goto('/runs');
  await page.getByRole('list', { name: 'Runs' }).waitFor();
  for (let more = page.getByRole('button', { name: 'Load more' }), rows = 50; rows < RUNS && (await more.isVisible()); rows += 50) {
    await more.click();
    await page.waitForFunction(() => ![...document.querySelectorAll('button')].some((button) => button.getAttribute('aria-busy')));
  }
  const height = await page.evaluate(() => document.documentElement.scrollHeight);
  const scrolled = await frames(page, () =>
    // As a wheel that is turned without a pause: 60 pixels a frame.
    page.evaluate(async (length) => {
      const end = performance.now() + 5000;
      for (let y = 0; performance.now() < end; y += 60) {
        scrollTo(0, y % length);
        await new Promise(requestAnimationFrame);
      }
    }, height),
  );
  say(`scroll through ${Math.round(height / 56)} runs, ${await page.getByRole('listitem').count()} rows in the page`, scrolled);
} finally {
  await browser.stop();
  await server.stop();
}
