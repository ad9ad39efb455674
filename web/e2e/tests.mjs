// The journeys, in order. A test gets the world of run.mjs and may leave things in it for later ones.
import { accessTests } from './access.mjs';
import { agentTests } from './agents.mjs';
import { approvalTests } from './approvals.mjs';
import { detailTests } from './details.mjs';
import { firstRunTests } from './first-run.mjs';
import { folderTests } from './folders.mjs';
import { functionTests } from './functions.mjs';
import { healingTests } from './healing.mjs';
import { hostileTests } from './hostile.mjs';
import { homeTests } from './home.mjs';
import { integrationTests } from './integrations.mjs';
import { keyboardTests } from './keyboard.mjs';
import { notificationTests } from './notifications.mjs';
import { partTests } from './parts.mjs';
import { profileTests } from './profile.mjs';
import { reachTests } from './reach.mjs';
import { servingTests } from './serving.mjs';
import { signInTests } from './sign-in.mjs';
import { streamingTests } from './streaming.mjs';
import { teamTests } from './team.mjs';
import { trialTests } from './trials.mjs';
import { truthTests } from './truth.mjs';
import { workTests } from './work.mjs';

export const tests = [...accessTests, ...firstRunTests, ...servingTests, ...workTests, ...teamTests, ...approvalTests, ...functionTests, ...homeTests, ...integrationTests, ...agentTests, ...healingTests, ...notificationTests, ...trialTests, ...truthTests, ...reachTests, ...detailTests, ...partTests, ...profileTests, ...signInTests, ...streamingTests, ...keyboardTests, ...folderTests, ...hostileTests];
