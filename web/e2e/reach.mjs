// What axe does not see: the keyboard alone, forced colours, a page at twice its size, focus that is seen and comes back.
// proves: S4-A-P3, AI-M20
import assert from 'node:assert/strict';

/** What has the focus, in words. */
const focused = (page) => page.evaluate(() => document.activeElement?.getAttribute('aria-label') ?? document.activeElement?.textContent?.trim() ?? '');

/** Presses Tab until something of this name has the focus; each stop on the way has to be seen. */
async function tabTo(page, name) {
  for (let stop = 0; stop < 60; stop += 1) {
    await page.keyboard.press('Tab');
    const state = await page.evaluate(() => {
      const element = document.activeElement;
      const style = getComputedStyle(element);
      const frame = element.closest('.cm-editor, .react-flow__node') ?? element;
      const box = frame.getBoundingClientRect();
      return { ring: style.outlineStyle !== 'none' || getComputedStyle(frame).outlineStyle !== 'none' || style.boxShadow !== 'none', seen: box.width > 0 && box.bottom > 0 && box.right > 0, what: element.outerHTML.slice(0, 120) };
    });
    if (state.what.startsWith('<body')) continue;
    assert.ok(state.ring, `no ring: ${state.what}`);
    assert.ok(state.seen, `not seen: ${state.what}`);
    if ((await focused(page)) === name) return;
  }
  assert.fail(`Tab does not come to ${name}`);
}

export const reachTests = [
  [
    'a workflow is run with the keyboard alone, and the focus comes back from a dialog',
    async ({ page, workflow }) => {
      await page.goto('/');
      await page.getByRole('heading', { level: 1 }).waitFor();
      await tabTo(page, 'Skip to the content');
      await page.keyboard.press('Enter');
      assert.equal(await page.evaluate(() => document.activeElement?.id), 'content');
      await page.keyboard.press('Control+k');
      await page.waitForFunction(() => document.activeElement?.getAttribute('role') === 'combobox');
      await page.keyboard.type('greet-every');
      await page.getByRole('option', { name: /greet-everybody/, selected: true }).waitFor();
      await page.keyboard.press('Enter');
      await page.waitForURL((url) => url.pathname === `/workflows/${workflow}`);
      await page.getByText('No findings').waitFor();
      await tabTo(page, 'Run');
      await page.keyboard.press('Enter');
      await page.getByRole('dialog').waitFor();
      await page.keyboard.press('Escape');
      await page.getByRole('dialog').waitFor({ state: 'detached' });
      await page.waitForFunction(() => document.activeElement?.textContent?.trim() === 'Run');
      await page.keyboard.press('Enter');
      await page.getByRole('dialog').waitFor();
      await tabTo(page, 'Run');
      await page.keyboard.press('Enter');
      await page.waitForURL(/\/runs\//);
      await page.getByRole('main').getByText('Completed').first().waitFor();
      // The heading of the page that one has come to.
      assert.equal(await page.evaluate(() => document.activeElement?.tagName), 'H1');
    },
  ],
  [
    'with forced colours the bars of charts and timelines stay to be seen',
    async ({ page, run }) => {
      await page.emulateMedia({ forcedColors: 'active' });
      for (const path of ['/', `/runs/${run}?view=timeline`, '/workflows']) {
        await page.goto(path);
        await page.locator('.bar').first().waitFor();
        const hidden = await page.locator('.bar').evaluateAll((bars) => bars.filter((bar) => getComputedStyle(bar).borderTopStyle === 'none' && getComputedStyle(bar).forcedColorAdjust !== 'none').length);
        assert.equal(hidden, 0, path);
      }
      await page.emulateMedia({ forcedColors: 'none' });
    },
  ],
  [
    'at twice its size nothing sticks out, and what one came for is there',
    async (world) => {
      const { page } = world;
      await page.setViewportSize({ width: 683, height: 425 });
      for (const [path, name] of [
        ['/', 'Time'],
        [`/workflows/${world.workflow}`, 'Save'],
        [`/workflows/${world.nightly}/triggers`, 'Send'],
        ['/integrations', 'New integration'],
        ['/functions/http', 'Show the plan'],
        ['/approvals', 'Show'],
        ['/admin', 'Users'],
      ]) {
        await page.goto(path);
        await page.getByRole('heading', { level: 1 }).waitFor();
        await page.waitForFunction(() => document.querySelector('[aria-label="Loading"]') === null);
        assert.equal(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth), 0, path);
        const found = page.getByRole('button', { name }).or(page.getByRole('main').getByLabel(name)).first();
        await found.scrollIntoViewIfNeeded();
        assert.ok(await found.isVisible(), `${path}: ${name}`);
      }
      await page.setViewportSize({ width: 1366, height: 850 });
    },
  ],
  [
    'at 320 pixels, with wide text and without motion, nothing sticks out, is cut off, or moves',
    async (world) => {
      const { page } = world;
      await page.setViewportSize({ width: 320, height: 640 });
      const found = [];
      for (const path of ['/', '/workflows', `/workflows/${world.workflow}`, `/workflows/${world.nightly}/triggers`, '/runs', `/runs/${world.run}?view=timeline`, '/approvals', '/schedules', '/functions/http', '/integrations', '/notifications?tab=preferences', '/organization', '/profile', '/admin?tab=health']) {
        await page.goto(path);
        await page.getByRole('heading', { level: 1 }).waitFor();
        await page.waitForFunction(() => document.querySelector('[aria-label="Loading"]') === null);
        const wide = () => page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        if ((await wide()) > 0) found.push(`${path}: ${await wide()} px too wide`);
        // WCAG 1.4.12.
        await page.evaluate(() => {
          const sheet = new CSSStyleSheet();
          sheet.replaceSync('* { line-height: 1.5 !important; letter-spacing: 0.12em !important; word-spacing: 0.16em !important } p { margin-bottom: 2em !important }');
          document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
        });
        if ((await wide()) > 0) found.push(`${path}: ${await wide()} px too wide with wide text`);
        const cut = await page.evaluate(() =>
          [...document.querySelectorAll('main :is(p, h1, h2, h3, th, td, dt, dd, label, button, a, li)')]
            .filter((element) => {
              const style = getComputedStyle(element);
              return style.overflowY === 'hidden' && style.textOverflow !== 'ellipsis' && !element.closest('.sr-only, .react-flow, .cm-editor') && element.clientHeight > 0 && element.scrollHeight > element.clientHeight + 2;
            })
            .map((element) => element.outerHTML.slice(0, 100)),
        );
        found.push(...cut.map((what) => `${path}: cut off: ${what}`));
        const moving = await page.evaluate(() => document.getAnimations().filter((one) => one.playState === 'running' && Number(one.effect?.getTiming().duration) > 20).length);
        if (moving > 0) found.push(`${path}: ${moving} animations`);
      }
      await page.setViewportSize({ width: 1366, height: 850 });
      assert.deepEqual(found, []);
    },
  ],
];
