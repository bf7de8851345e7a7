// `stop`: requests the stop of services (cli/operation.ts).
import { makeOperation } from '../operation.ts';

export default makeOperation('stop', 'stop services; the container continues to run', 'svc-super stop open-webui');
