// Where the control socket is. One list of places serves the supervisor, which listens at the first that can be had, and the
// commands, which ask at the first that answers. A socket in a folder that others may write is believed only when its owner
// is this user or root: anybody could have made it first.
#include "handover.h"

enum { AF_UNIX = 1, SOCK_STREAM = 1, SOL_SOCKET = 1, SO_PEERCRED = 17, PATH_MOST = 108, PLACES = 4 };
enum { LOCK_EX_NB = 2 | 4, LOCK_TRIES = 100, QUEUE = 512 };

struct place {
  char path[PATH_MOST];
  /** Bytes of the path that are a folder of our own, mode 0700; 0: none. */
  u32 folder;
  int is_chosen;
};

/** The socket that this process listens at, and which file that is. */
static struct {
  struct place place;
  u64 dev, ino;
} ours;

/** A path that does not fit is left empty: nothing can listen there (unix(7)). */
static void set_place(struct place *place, const char *folder, const char *own, const char *file) {
  char *limit = place->path + PATH_MOST, *end = append(append(place->path, limit, folder), limit, own);
  place->folder = *own ? (u32)(end - place->path) : 0;
  place->is_chosen = 0;
  if (append(end, limit, file) + 1 == limit) place->path[0] = 0;
}

static u32 list_places(const struct start *start, struct place *places) {
  const char *chosen = variable(start->envp, "SVC_SUPER_SOCKET"), *runtime = variable(start->envp, "XDG_RUNTIME_DIR");
  char own[40], *limit = own + sizeof own;
  u32 count = 0;
  if (chosen && *chosen) {
    set_place(places, "", "", chosen);
    places->is_chosen = 1;
    return 1;
  }
  append_number(append(own, limit, "/svc-super-"), limit, sys(__NR_geteuid));
  set_place(&places[count++], "", "", "/run/svc-super.sock");
  if (runtime && *runtime == '/') set_place(&places[count++], runtime, "", "/svc-super.sock");
  set_place(&places[count++], "/dev/shm", own, "/svc-super.sock");
  set_place(&places[count++], "/tmp", own, "/svc-super.sock");
  return count;
}

/** `looked=ERRNO PATH`: why a place was passed over. Numbers above all errnos are ours: see src/control/places.ts. */
enum { WHY_FOREIGN = 1001, WHY_FOLDER, WHY_NO_SOCKET, WHY_OCCUPIED };

static void pass_over(struct handover *handover, const struct place *place, long why) {
  char line[PATH_MOST + 32], *limit = line + sizeof line;
  append(append(append_number(line, limit, why), limit, " "), limit, place->path);
  add_line(handover, "looked=", line);
}

/** Whether the folder of a place is ours alone. */
static int is_private(const struct place *place) {
  struct status found;
  char folder[PATH_MOST];
  if (place->folder == 0) return 1;
  memcpy(folder, place->path, place->folder);
  folder[place->folder] = 0;
  if (sys_stat(AT_FDCWD, folder, &found, AT_SYMLINK_NOFOLLOW) < 0) return 0;
  return (found.mode & S_IFMT) == S_IFDIR && found.uid == (u32)sys(__NR_geteuid) && (found.mode & 077) == 0;
}

struct address { u16 family; char path[PATH_MOST]; };

/** A connection, which never waits; minus an errno. */
static long connect_to(const char *path) {
  struct address address = {.family = AF_UNIX};
  memcpy(address.path, path, strlen(path) + 1);
  long fd = sys(__NR_socket, AF_UNIX, SOCK_STREAM | O_NONBLOCK | O_CLOEXEC, 0);
  if (fd < 0) return fd;
  long failure = sys(__NR_connect, fd, &address, sizeof address);
  if (failure == 0) return fd;
  sys_close((int)fd);
  return failure;
}

int connect_control(const struct start *start, struct handover *handover) {
  struct place places[PLACES];
  u32 count = list_places(start, places);
  for (u32 at = 0; at < count; at++) {
    const struct place *place = &places[at];
    struct { i32 pid; u32 uid, gid; } peer = {0, ~0u, ~0u};
    int size = sizeof peer;
    struct status found;
    long why = !*place->path ? ENAMETOOLONG : -sys_stat(AT_FDCWD, place->path, &found, 0);
    if (why == 0 && !is_private(place)) why = WHY_FOLDER;
    long fd = why == 0 ? connect_to(place->path) : -why;
    if (fd < 0) {
      pass_over(handover, place, -fd);
      continue;
    }
    sys(__NR_getsockopt, fd, SOL_SOCKET, SO_PEERCRED, &peer, &size);
    if (place->is_chosen || peer.uid == 0 || peer.uid == (u32)sys(__NR_geteuid)) {
      add_line(handover, "socket=", place->path);
      return (int)fd;
    }
    sys_close((int)fd);
    pass_over(handover, place, WHY_FOREIGN);
  }
  return -1;
}

/** Makes the folder of a place where it has one, and opens the folder that the socket is to be in; minus why not. */
static long open_folder(const struct place *place) {
  char folder[PATH_MOST];
  size_t size = strlen(place->path);
  while (size > 0 && place->path[size - 1] != '/') size--;
  memcpy(folder, place->path, size);
  folder[size] = 0;
  if (place->folder) {
    folder[place->folder] = 0;
    sys(__NR_mkdirat, AT_FDCWD, folder, 0700);
    if (!is_private(place)) return -WHY_FOLDER;
  }
  return sys_open(*folder ? folder : ".", O_RDONLY | O_DIRECTORY);
}

/** Removes a socket that nothing answers at; minus why there is no room. */
static long make_room_at(const struct place *place) {
  struct status found;
  long result = sys_stat(AT_FDCWD, place->path, &found, AT_SYMLINK_NOFOLLOW);
  if (result == -ENOENT) return 0;
  if (result < 0) return result;
  if ((found.mode & S_IFMT) != S_IFSOCK) return -WHY_NO_SOCKET;
  long fd = connect_to(place->path);
  if (fd >= 0) sys_close((int)fd);
  if (fd >= 0 || fd == -EAGAIN || fd == -EPROTOTYPE) return -WHY_OCCUPIED;
  // Only a refused connection proves that nothing listens (connect(2)).
  if (fd != -ECONNREFUSED) return fd;
  return sys(__NR_unlinkat, AT_FDCWD, place->path, 0);
}

static long listen_at(const struct place *place) {
  struct address address = {.family = AF_UNIX};
  struct status made;
  memcpy(address.path, place->path, strlen(place->path) + 1);
  long fd = sys(__NR_socket, AF_UNIX, SOCK_STREAM | O_NONBLOCK | O_CLOEXEC, 0);
  if (fd < 0) return fd;
  // Nobody but our user may ever connect, not even for a moment.
  long umask = sys(__NR_umask, 0177);
  long failure = sys(__NR_bind, fd, &address, sizeof address.family + strlen(place->path) + 1);
  sys(__NR_umask, umask);
  if (failure == 0) failure = sys(__NR_listen, fd, QUEUE);
  if (failure == 0 && sys_stat(AT_FDCWD, place->path, &made, AT_SYMLINK_NOFOLLOW) == 0) {
    ours.place = *place;
    ours.dev = made.dev;
    ours.ino = made.ino;
    return fd;
  }
  sys_close((int)fd);
  return failure;
}

/** Two that start together must not both take a socket for stale: whoever removes or makes one holds the folder's lock. */
static long lock(int folder) {
  const struct time moment = {0, 1000000};
  for (int tries = 0; tries < LOCK_TRIES; tries++) {
    if (sys(__NR_flock, folder, LOCK_EX_NB) != -EAGAIN) return 0;
    sys_poll(NULL, 0, &moment);
  }
  return -EAGAIN;
}

int listen_control(const struct start *start, struct handover *handover) {
  struct place places[PLACES];
  u32 count = list_places(start, places);
  for (u32 at = 0; at < count; at++) {
    const struct place *place = &places[at];
    long folder = *place->path ? open_folder(place) : -ENAMETOOLONG, fd = folder;
    if (folder >= 0) {
      fd = lock((int)folder);
      if (fd == 0) fd = make_room_at(place);
      if (fd == 0) fd = listen_at(place);
      sys_close((int)folder);
    }
    if (fd >= 0) {
      add_line(handover, "socket=", place->path);
      return (int)fd;
    }
    pass_over(handover, place, -fd);
  }
  return -1;
}

void close_control(void) {
  struct place *place = &ours.place;
  struct status found;
  if (!*place->path) return;
  long folder = open_folder(place);
  // The name may be another supervisor's by now.
  if (folder >= 0 && lock((int)folder) == 0 && sys_stat(AT_FDCWD, place->path, &found, AT_SYMLINK_NOFOLLOW) == 0 &&
      found.dev == ours.dev && found.ino == ours.ino)
    sys(__NR_unlinkat, AT_FDCWD, place->path, 0);
  if (place->folder) {
    place->path[place->folder] = 0;
    sys(__NR_unlinkat, AT_FDCWD, place->path, AT_REMOVEDIR);
  }
}
