// Integrations against a service of our own: a form from the connector's schema, findings beside their fields, a secret that never comes back.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { call } from './work.mjs';

const SECRET = 'Bearer open-sesame-4711';

function service() {
  const server = createServer((request, reply) => {
    const allowed = request.headers.authorization === SECRET;
    reply.writeHead(allowed ? 200 : 401, { 'Content-Type': 'application/json' }).end(JSON.stringify({ ok: allowed }));
  });
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve({ server, base: `http://127.0.0.1:${server.address().port}` }));
  });
}

export const integrationTests = [
  [
    'an integration is made with a form from its schema, tested, changed without its secret, and deleted',
    async ({ page, browser }) => {
      const { server, base } = await service();
      try {
        await page.goto('/integrations');
        await page.getByText('No integrations').waitFor();
        await page.getByRole('button', { name: 'New integration' }).click();
        const dialog = page.getByRole('dialog');
        await dialog.getByRole('button', { name: /^HTTP/ }).click();
        await dialog.getByRole('button', { name: 'Save and test' }).click();
        await dialog.getByText('This is needed.').first().waitFor();
        assert.equal(await dialog.getByLabel('Name', { exact: true }).getAttribute('aria-invalid'), 'true');
        await dialog.getByLabel('Name', { exact: true }).fill('our-service ');
        await dialog.getByLabel(/^Base address/).fill(base);
        await dialog.getByLabel(/^Header field/).fill('Authorization');
        await dialog.getByLabel(/^Value of the header/).fill('Bearer wrong');
        await dialog.getByRole('button', { name: 'Save and test' }).click();
        // The server's own finding, at the field that it is about.
        await dialog.locator('input[aria-invalid="true"]').first().waitFor();
        await dialog.getByLabel('Name', { exact: true }).fill('our-service');
        await dialog.getByRole('button', { name: 'Save and test' }).click();
        await dialog.waitFor({ state: 'detached' });
        const row = page.getByRole('row', { name: /our-service/ });
        await row.getByText('fails').waitFor();
        await row.getByText(/\(\d+\sms\)/).waitFor();
        assert.match(await row.innerText(), /header_value: \*{8}/);

        await row.getByRole('button', { name: 'Change our-service' }).click();
        assert.equal(await dialog.getByLabel(/^Value of the header/).inputValue(), '');
        await dialog.getByText('A value is stored and never shown.').waitFor();
        await dialog.getByLabel(/^Value of the header/).fill(SECRET);
        await dialog.getByRole('button', { name: 'Save and test' }).click();
        await row.getByText('works').waitFor();
        // What is kept by its mask is really kept.
        await row.getByRole('button', { name: 'Change our-service' }).click();
        await dialog.getByLabel(/^Path of/).fill('/health');
        await dialog.getByRole('button', { name: 'Save and test' }).click();
        await dialog.waitFor({ state: 'detached' });
        await row.getByText('test_path: /health').waitFor();
        await row.getByText('works').waitFor();
        const { body } = await call(page, 'GET', '/api/integrations');
        assert.ok(!JSON.stringify(body).includes('sesame'));

        await row.getByRole('button', { name: 'Delete our-service' }).click();
        await dialog.getByRole('button', { name: 'Delete' }).click();
        await page.getByText('No integrations').waitFor();
      } finally {
        server.close();
      }
      assert.deepEqual(browser.problems, []);
    },
  ],
];
