import { runAgent } from '@agentic-sdlc/shared';
import { validation } from './work';

runAgent('validation', validation);
