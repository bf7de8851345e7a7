// `restart`: requests that services stop and start again (cli/operation.ts).
import { makeOperation } from '../operation.ts';

export default makeOperation(
  'restart',
  'stop services and start them again',
  'svc-super restart --group application --wait',
);
