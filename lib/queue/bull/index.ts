// The door `nestjs-flowstone/bull`, for applications that have @nestjs/bull. The transport itself is loaded by forRoot().
export { FlowStoneBullModule, flowstoneQueue } from './flowstone-bull.module.js';
