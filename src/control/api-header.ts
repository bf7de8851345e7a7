// The header by which a client over TCP recognizes a supervisor, and its value: the version of the API. Pure.

export const API_HEADER = 'svc-super-api';
export const API_VERSION = 'v1';
