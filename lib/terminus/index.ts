// nestjs-flowstone/terminus: FlowStone in the health checks of an application. Needs @nestjs/terminus.
export { FlowStoneHealthIndicator } from './flowstone.health-indicator.js';
export { FlowStoneReadyModule, type ReadyOptions } from './flowstone-ready.module.js';
