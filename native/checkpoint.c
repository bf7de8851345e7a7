// The checkpoint: records that the supervisor stores here by number, and that its successor receives. They are opaque bytes,
// kept in memory only. A record that grows moves to the end of the store; the store is compacted when half of it is unused.
#include "supervise.h"

enum { KEYS_MOST = 1 << 20 };

struct record {
  size_t offset;
  /** The size of the record and its capacity, bytes. */
  u32 size, room;
};

static struct {
  struct record *records;
  size_t records_size;
  u32 count;
  u8 *bytes;
  size_t bytes_size, used;
  /** Bytes before `used` that belong to no record. */
  size_t unused;
  /** A record could not be stored: no successor can use the records. */
  int is_incomplete;
} store;

int has_complete_checkpoint(void) { return store.count > 0 && !store.is_incomplete; }

/** Copies the records to a new store without unused bytes, with room for `more` bytes. Returns 0, or minus an errno. */
static long compact(size_t more) {
  u8 *fresh = NULL;
  size_t fresh_size = 0, used = 0;
  long failure = grow((void **)&fresh, &fresh_size, store.used - store.unused + more);
  if (failure < 0) return failure;
  for (u32 key = 0; key < store.count; key++) {
    struct record *record = &store.records[key];
    if (record->size > 0) memcpy(fresh + used, store.bytes + record->offset, record->size);
    record->offset = used;
    used += record->room;
  }
  sys(__NR_munmap, store.bytes, store.bytes_size);
  store.bytes = fresh, store.bytes_size = fresh_size, store.used = used, store.unused = 0;
  return 0;
}

/** Gives a record new space for `size` bytes at the end of the store. Its content is lost. Returns 0, or minus an errno. */
static long reallocate_record(struct record *record, u32 size) {
  // Some extra capacity, because the size of a record often changes by a few bytes.
  u32 room = size + size / 8 + 16;
  store.unused += record->room;
  // Without space, the record is not copied if the store is compacted now.
  record->room = record->size = 0;
  long failure = 0;
  if (store.used + room > store.bytes_size && store.unused > store.used / 2) failure = compact(room);
  if (failure == 0) failure = grow((void **)&store.bytes, &store.bytes_size, store.used + room);
  if (failure < 0) return failure;
  record->offset = store.used;
  record->room = room;
  store.used += room;
  return 0;
}

/** Stores a record. Returns 0, or minus an errno; then the record may be empty. */
static long store_record(u32 key, const u8 *bytes, u32 size) {
  long failure = grow((void **)&store.records, &store.records_size, (key + 1ul) * sizeof(struct record));
  if (failure < 0) return failure;
  if (key >= store.count) store.count = key + 1;
  struct record *record = &store.records[key];
  if (size > record->room) failure = reallocate_record(record, size);
  if (failure < 0) return failure;
  if (size > 0) memcpy(store.bytes + record->offset, bytes, size);
  record->size = size;
  return 0;
}

int keep_records(struct reader *from) {
  for (u32 count = get_u32(from); count > 0 && !from->bad; count--) {
    u32 key = get_u32(from), size = get_u32(from);
    const u8 *bytes = get_bytes(from, size);
    if (!bytes || key >= KEYS_MOST) return 0;
    if (store_record(key, bytes, size) < 0) store.is_incomplete = 1;
  }
  return !from->bad && from->at == from->end;
}

int send_records(void) {
  while (pid1.restore_record < store.count) {
    struct record *record = &store.records[pid1.restore_record];
    u32 left = record->size - pid1.restore_part, part = left < PART_MOST ? left : PART_MOST;
    if (writer_room(&pid1.out) < part + EVENT_MOST) return 0;
    if (part > 0) {
      begin_frame(&pid1.out, EVENT_KEPT);
      put_u32(&pid1.out, pid1.restore_record);
      put_u32(&pid1.out, record->size);
      put_bytes(&pid1.out, store.bytes + record->offset + pid1.restore_part, part);
      end_frame(&pid1.out);
    }
    pid1.restore_part += part;
    if (pid1.restore_part == record->size) pid1.restore_record++, pid1.restore_part = 0;
  }
  return 1;
}
