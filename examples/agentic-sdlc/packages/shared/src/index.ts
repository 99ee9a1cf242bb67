export * from './config';
export * from './lifecycle';
export * from './log';
export * from './pipeline';
export * from './postgres';
export * from './redis';
export * from './run-agent';
export * from './streams';
