import { runAgent } from '@agentic-sdlc/shared';
import { scaffold } from './work';

runAgent('scaffold', scaffold);
