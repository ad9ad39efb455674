// What is tested, in order. A test gets the world of run.mjs and may leave things in it for later ones.
import { accessTests } from './access.mjs';
import { functionTests } from './functions.mjs';
import { homeTests } from './home.mjs';
import { integrationTests } from './integrations.mjs';
import { pageTests } from './pages.mjs';
import { servingTests } from './serving.mjs';
import { workTests } from './work.mjs';

export const tests = [...accessTests, ...servingTests, ...workTests, ...functionTests, ...homeTests, ...integrationTests, ...pageTests];
