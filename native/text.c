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
 * Appends `text` and a NUL at `end`. Never writes at `limit` or beyond: text that does not fit is cut off. Returns the new
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
 * Characters that a terminal interprets or hides, in ranges: control and bidirectional characters, line separators and
 * invisible characters. test/native/tables.test.ts compares them with src/text.ts, which escapes them.
 */
static const struct { u32 first, last; } unsafe[] = {
  {0x00, 0x1f}, {0x7f, 0x9f}, {0xad, 0xad}, {0x61c, 0x61c}, {0x180e, 0x180e}, {0x200b, 0x200f}, {0x2028, 0x202e},
  {0x2060, 0x206f}, {0xfeff, 0xfeff}, {0xfff9, 0xfffb},
};

static int is_unsafe(u32 character) {
  for (size_t at = 0; at < sizeof unsafe / sizeof *unsafe; at++)
    if (character >= unsafe[at].first && character <= unsafe[at].last) return 1;
  return 0;
}

/** Decodes the first character of a text in UTF-8. A byte that does not begin a complete character counts as one. */
static u32 decode(const u8 *at, size_t left, u32 *size) {
  u32 length = at[0] < 0xc0 ? 1 : at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : 4;
  u32 character = length == 1 ? at[0] : at[0] & (0x7fu >> length);
  *size = 1;
  if (length > left) return at[0];
  for (u32 next = 1; next < length; next++) {
    if ((at[next] & 0xc0) != 0x80) return at[0];
    character = character << 6 | (at[next] & 0x3f);
  }
  *size = length;
  return character;
}

/** Replaces each byte of an unsafe character by `?`, because names come from outside. */
static void hide_unsafe(char *at, const char *end) {
  for (u32 size; at < end; at += size)
    if (is_unsafe(decode((const u8 *)at, (size_t)(end - at), &size))) memset(at, '?', size);
}

/**
 * Writes one line to standard error: `svc-super: ` and the parts, up to a null. Drops the line if the write would
 * block: a pipe or terminal that accepts nothing must not stop PID 1 (pipe(7): a write of up to PIPE_BUF bytes to a
 * pipe that polls writable does not block).
 */
void print_message(const char *const *parts) {
  char line[1024], *end = append(line, line + sizeof line - 1, "svc-super: ");
  for (; *parts; parts++) end = append(end, line + sizeof line - 1, *parts);
  hide_unsafe(line, end);
  *end++ = '\n';
  struct pollfd out = {.fd = 2, .events = POLLOUT};
  struct time none = {0, 0};
  if (sys_poll(&out, 1, &none) == 1 && (out.revents & POLLOUT)) sys_write(2, line, (size_t)(end - line));
}
