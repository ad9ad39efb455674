// Pictures of every page, light and dark, wide and narrow, to be looked at: `shots.mjs FOLDER [NAME...]`.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { inside, outside, settled } from './pages.mjs';
import { startUsed } from './seed.mjs';

const [folder = 'shots', ...wanted] = process.argv.slice(2);
const SIZES = { wide: { width: 1366, height: 850 }, narrow: { width: 375, height: 812 } };
mkdirSync(folder, { recursive: true });
const used = await startUsed();

async function shoot(page, { name, path }) {
  await page.goto('about:blank');
  await page.goto(path);
  await settled(page);
  // The drawing of a graph comes after the page; a page that asks again and again is never idle.
  await page.waitForLoadState('networkidle', { timeout: 3000 }).catch(() => undefined);
  for (const [width, size] of Object.entries(SIZES)) {
    await page.setViewportSize(size);
    for (const theme of ['light', 'dark']) {
      await page.evaluate((now) => {
        document.documentElement.dataset.theme = now;
      }, theme);
      await page.screenshot({ path: join(folder, `${name.replaceAll(/\W+/g, '-')}-${width}-${theme}.png`) });
    }
  }
  await page.setViewportSize(SIZES.wide);
}

try {
  const asked = ({ name }) => wanted.length === 0 || wanted.some((part) => name.includes(part));
  const stranger = await used.browser.person();
  for (const place of outside.filter(asked)) await shoot(stranger, place);
  for (const place of [...inside(used), { name: 'failed run', path: `/runs/${used.failed}?task=/do/1/convert/do/1/parse` }].filter(asked)) await shoot(used.page, place);
} finally {
  await used.stop();
}
