// `start`: requests the start of services and of those that they depend on (cli/operation.ts).
import { makeOperation } from '../operation.ts';

export default makeOperation('start', 'start services and their dependencies', "svc-super start 'worker-*' --wait");
