// `restart`: stops services and starts them again.
import { makeOperation } from '../operation.ts';

export default makeOperation(
  'restart',
  'stop services and start them again',
  'svc-super restart --group application --wait',
);
