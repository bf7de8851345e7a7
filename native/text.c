// The functions of a C library that the compiler and the other files need, and short messages on standard error. Never
// allocates memory and never blocks.
#include "svc-super.h"

#ifndef HOSTED
void *memcpy(void *to, const void *from, size_t size) {
  u8 *target = to;
  const u8 *source = from;
  while (size--) *target++ = *source++;
  return to;
}
void *memmove(void *to, const void *from, size_t size) {
  u8 *target = to;
  const u8 *source = from;
  if (target <= source) return memcpy(to, from, size);
  while (size--) target[size] = source[size];
  return to;
}
void *memset(void *to, int byte, size_t size) {
  u8 *target = to;
  while (size--) *target++ = (u8)byte;
  return to;
}
int memcmp(const void *one, const void *other, size_t size) {
  const u8 *a = one, *b = other;
  for (; size--; a++, b++)
    if (*a != *b) return *a - *b;
  return 0;
}
size_t strlen(const char *text) {
  size_t size = 0;
  while (text[size]) size++;
  return size;
}
#endif

/**
 * Appends `text` and a NUL at `end`. Never writes at `limit` or beyond: what does not fit is left out. Returns the new
 * end.
 */
char *append(char *end, const char *limit, const char *text) {
  while (*text && end + 1 < limit) *end++ = *text++;
  *end = 0;
  return end;
}

char *append_number(char *end, const char *limit, i64 number) {
  char digits[24], *first = digits + sizeof digits - 1;
  u64 rest = number < 0 ? -(u64)number : (u64)number;
  *first = 0;
  do *--first = (char)('0' + rest % 10);
  while (rest /= 10);
  if (number < 0) *--first = '-';
  return append(end, limit, first);
}

/** A whole decimal number; -1 for anything else, and for more than 2^31-1. */
i64 parse_number(const char *text) {
  i64 number = 0;
  if (!*text) return -1;
  for (; *text; text++) {
    if (*text < '0' || *text > '9') return -1;
    number = number * 10 + (*text - '0');
    if (number > 0x7fffffff) return -1;
  }
  return number;
}

/**
 * Names come from outside: replaces by `?` the characters that a terminal interprets or hides (src/text.ts escapes
 * them). These are ASCII and C1 control characters, U+200B to U+200F, U+2028 to U+202E and U+2060 to U+206F, in UTF-8.
 */
static void hide_unsafe(char *at, const char *end) {
  for (; at < end; at++) {
    const u8 *byte = (const u8 *)at;
    u32 size = byte[0] < ' ' || byte[0] == 127 ? 1 : 0;
    if (end - at >= 2 && byte[0] == 0xc2 && byte[1] >= 0x80 && byte[1] < 0xa0) size = 2;
    if (end - at >= 3 && byte[0] == 0xe2 && byte[1] == 0x80 && ((byte[2] >= 0x8b && byte[2] <= 0x8f) || (byte[2] >= 0xa8 && byte[2] <= 0xae))) size = 3;
    if (end - at >= 3 && byte[0] == 0xe2 && byte[1] == 0x81 && byte[2] >= 0xa0 && byte[2] <= 0xaf) size = 3;
    if (size > 0) memset(at, '?', size), at += size - 1;
  }
}

/**
 * Writes one line to standard error: `svc-super: ` and the parts, up to a null. Drops the line if the write would
 * block: a pipe or terminal that accepts nothing must not stop PID 1 (pipe(7): a write of up to PIPE_BUF bytes to a
 * pipe that polls writable does not block).
 */
void say(const char *const *parts) {
  char line[1024], *end = append(line, line + sizeof line - 1, "svc-super: ");
  for (; *parts; parts++) end = append(end, line + sizeof line - 1, *parts);
  hide_unsafe(line, end);
  *end++ = '\n';
  struct pollfd out = {.fd = 2, .events = POLLOUT};
  struct time none = {0, 0};
  if (sys_poll(&out, 1, &none) == 1 && (out.revents & POLLOUT)) sys_write(2, line, (size_t)(end - line));
}
