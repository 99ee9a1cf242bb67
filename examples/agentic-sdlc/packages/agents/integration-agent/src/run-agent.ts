import { runAgent } from '@agentic-sdlc/shared';
import { integration } from './work';

runAgent('integration', integration);
