import { runAgent } from '@agentic-sdlc/shared';
import { e2e } from './work';

runAgent('e2e', e2e);
