// `stop`: stops services.
import { makeOperation } from '../operation.ts';

export default makeOperation('stop', 'stop services; the container continues to run', 'svc-super stop open-webui');
