// `start`: starts services and what they depend on.
import { makeOperation } from '../operation.ts';

export default makeOperation('start', 'start services and their dependencies', "svc-super start 'worker-*' --wait");
