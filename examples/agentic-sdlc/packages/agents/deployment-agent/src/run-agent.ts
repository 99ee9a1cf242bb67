import { runAgent } from '@agentic-sdlc/shared';
import { deployment } from './work';

runAgent('deployment', deployment);
