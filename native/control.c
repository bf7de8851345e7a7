// Finds the control socket. The supervisor listens at the first usable place of a list. Commands connect to the only
// supervisor that answers at these places, and never choose among several. A socket that the user has not named is
// trusted only if this user or root listens on it, because in a shared folder any user could have created it.
#include "handover.h"

enum { AF_UNIX = 1, SOCK_STREAM = 1, SOL_SOCKET = 1, SO_PEERCRED = 17, PATH_MOST = 108, PLACES = 4 };
enum { LOCK_EX_NB = 2 | 4, LOCK_TRIES = 100, QUEUE = 512, FOUND_MOST = 32, NAME_MOST = 64 };

struct place {
  /** One byte longer than the longest path that is allowed, so that truncation is detected. */
  char path[PATH_MOST + 1];
  /** Length of the part of `path` that is a folder which only this user may write to; 0: there is none. */
  u32 folder;
  /** The folder is created and removed together with the socket. */
  int is_made;
  /** Named by the user, and therefore trusted, regardless of the user who listens there. */
  int is_chosen;
};

/** The socket that this process listens on, and its device and inode numbers. */
static struct {
  struct place place;
  u64 dev, ino;
} ours;

/** The length of the folder part of a path, up to and with its last slash. */
static size_t folder_length(const char *path) {
  size_t size = strlen(path);
  while (size > 0 && path[size - 1] != '/') size--;
  return size;
}

/** Fills `place`. The path stays empty if it is too long for a socket (unix(7)). */
static void set_place(struct place *place, const char *folder, const char *own, const char *file) {
  char *limit = place->path + sizeof place->path, *end = append(append(place->path, limit, folder), limit, own);
  place->folder = *own ? (u32)(end - place->path) : 0;
  place->is_made = *own != 0;
  place->is_chosen = 0;
  if (append(end, limit, file) + 1 == limit) place->path[0] = 0;
}

/** The Slurm job that this process belongs to, as part of a file name; "" if there is none. */
static const char *job_of(const struct start *start) {
  const char *job = variable(start->envp, "SLURM_JOB_ID");
  size_t size = 0;
  while (job && job[size] >= '0' && job[size] <= '9') size++;
  return size > 0 && size <= 20 && !job[size] ? job : "";
}

/** Writes `/svc-super.sock`, or `/svc-super-JOB.sock` in a Slurm job: two jobs of one user may share a machine. */
static void name_socket(const struct start *start, char *name) {
  const char *job = job_of(start);
  char *limit = name + NAME_MOST, *end = append(name, limit, "/svc-super");
  if (*job) end = append(append(end, limit, "-"), limit, job);
  append(end, limit, ".sock");
}

/** Fills `places` with `chosen` alone or, if that is null, with all standard places. Returns their number. */
static u32 list_places(const struct start *start, const char *chosen, struct place *places) {
  const char *runtime = variable(start->envp, "XDG_RUNTIME_DIR");
  char own[40], name[NAME_MOST], *limit = own + sizeof own;
  u32 count = 0;
  name_socket(start, name);
  if (chosen) {
    set_place(places, "", "", chosen);
    places->is_chosen = 1;
    return 1;
  }
  append_number(append(own, limit, "/svc-super-"), limit, sys(__NR_geteuid));
  set_place(&places[count++], "/run", "", name);
  if (runtime && *runtime == '/') {
    struct place *place = &places[count++];
    set_place(place, runtime, "", name);
    // This user must own the folder (XDG Base Directory Specification). After `su`, another user owns it.
    if (*place->path) place->folder = (u32)strlen(runtime);
  }
  set_place(&places[count++], "/dev/shm", own, name);
  set_place(&places[count++], "/tmp", own, name);
  return count;
}

/** The path in SVC_SUPER_SOCKET; null if it is not set. */
static const char *named_socket(const struct start *start) {
  const char *named = variable(start->envp, "SVC_SUPER_SOCKET");
  return named && *named ? named : NULL;
}

/**
 * `looked=REASON PATH`: why a place is not usable. A reason is an errno or, from 1001 on, one of these: see
 * src/linux/socket-paths.ts.
 */
enum { WHY_FOREIGN = 1001, WHY_FOLDER, WHY_NO_SOCKET, WHY_OCCUPIED };

static void add_unusable(struct handover *handover, const struct place *place, long why) {
  char line[PATH_MOST + 32], *limit = line + sizeof line;
  append(append(append_number(line, limit, why), limit, " "), limit, place->path);
  add_line(handover, "looked=", line);
}

/**
 * Whether only this user may write to the folder of a place. Other users may not even enter a folder that was created
 * for the socket.
 */
static int is_private(const struct place *place) {
  struct status found;
  char folder[PATH_MOST];
  if (place->folder == 0) return 1;
  memcpy(folder, place->path, place->folder);
  folder[place->folder] = 0;
  if (sys_stat(AT_FDCWD, folder, &found, AT_SYMLINK_NOFOLLOW) < 0) return 0;
  return (found.mode & S_IFMT) == S_IFDIR && found.uid == (u32)sys(__NR_geteuid) && (found.mode & (place->is_made ? 077 : 022)) == 0;
}

struct address { u16 family; char path[PATH_MOST]; };

/** Connects without waiting. Returns a descriptor, or minus an errno. */
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

/** The supervisors that answer. */
struct found {
  /** A connection to the first. */
  int fd;
  u32 count;
  char first[PATH_MOST];
  struct { u64 dev, ino; } files[FOUND_MOST];
};

/**
 * Connects to the supervisor at a place, and adds it to `found`. Returns minus the reason if the place is not usable.
 */
static long find_at(const struct place *place, struct found *found, struct handover *handover) {
  struct { i32 pid; u32 uid, gid; } peer = {0, ~0u, ~0u};
  int size = sizeof peer;
  struct status file;
  long why = !*place->path ? ENAMETOOLONG : -sys_stat(AT_FDCWD, place->path, &file, 0);
  if (why == 0 && !is_private(place)) why = WHY_FOLDER;
  if (why != 0) return -why;
  // Two places may lead to the same socket.
  for (u32 at = 0; at < found->count; at++)
    if (found->files[at].dev == file.dev && found->files[at].ino == file.ino) return 0;
  long fd = connect_to(place->path);
  if (fd < 0) return fd;
  sys(__NR_getsockopt, fd, SOL_SOCKET, SO_PEERCRED, &peer, &size);
  int is_trusted = place->is_chosen || peer.uid == 0 || peer.uid == (u32)sys(__NR_geteuid);
  if (found->count == 0 && is_trusted) {
    found->fd = (int)fd;
    append(found->first, found->first + PATH_MOST, place->path);
  } else {
    sys_close((int)fd);
  }
  if (!is_trusted) return -WHY_FOREIGN;
  if (found->count == FOUND_MOST) return 0;
  found->files[found->count].dev = file.dev;
  found->files[found->count++].ino = file.ino;
  char line[PATH_MOST + 32], *limit = line + sizeof line;
  append(append(append_number(line, limit, peer.pid), limit, " "), limit, place->path);
  add_line(handover, "found=", line);
  return 0;
}

/** Adds the supervisors of other Slurm jobs, and those outside of any job, whose sockets are in the folder of a place. */
static void find_beside(const struct place *place, struct found *found, struct handover *handover) {
  u8 entries[4096] __attribute__((aligned(8)));
  struct { u64 ino, offset; u16 size; u8 type; char name[]; } *entry;
  struct place other = *place;
  size_t size = folder_length(place->path);
  other.path[size] = 0;
  long folder = size > 0 && is_private(place) ? sys_open(other.path, O_RDONLY | O_DIRECTORY) : -1, read;
  if (folder < 0) return;
  while ((read = sys(__NR_getdents64, folder, entries, sizeof entries)) > 0) {
    for (long at = 0; at < read; at += entry->size) {
      entry = (void *)(entries + at);
      size_t length = strlen(entry->name);
      if (!after(entry->name, "svc-super") || length < 5 || !same(entry->name + length - 5, ".sock")) continue;
      append(other.path + size, other.path + PATH_MOST, entry->name);
      find_at(&other, found, handover);
    }
  }
  sys_close((int)folder);
}

int connect_control(const struct start *start, const char *chosen, struct handover *handover) {
  struct place places[PLACES];
  struct found found = {.fd = -1};
  if (!chosen) chosen = named_socket(start);
  u32 count = list_places(start, chosen, places);
  int is_settled = chosen != NULL;
  for (u32 at = 0; at < count; at++) {
    long failure = find_at(&places[at], &found, handover);
    if (failure < 0) add_unusable(handover, &places[at], -failure);
  }
  // In a Slurm job, connect to the supervisor of this job, and never to that of another job.
  if (*job_of(start) && found.count == 1) is_settled = 1;
  for (u32 at = 0; at < count && !is_settled; at++) find_beside(&places[at], &found, handover);
  if (found.count == 1 && (is_settled || !*job_of(start))) {
    add_line(handover, "socket=", found.first);
    return found.fd;
  }
  if (found.fd >= 0) sys_close(found.fd);
  return -1;
}

/**
 * Creates the folder of a place if `is_made`, and opens the folder of its socket. Returns a descriptor, or minus the
 * reason.
 */
static long open_folder(const struct place *place) {
  char folder[PATH_MOST];
  size_t size = folder_length(place->path);
  memcpy(folder, place->path, size);
  folder[size] = 0;
  if (place->is_made) {
    folder[place->folder] = 0;
    long made = sys(__NR_mkdirat, AT_FDCWD, folder, 0700);
    if (made < 0 && made != -EEXIST) return made;
  }
  if (!is_private(place)) return -WHY_FOLDER;
  return sys_open(*folder ? folder : ".", O_RDONLY | O_DIRECTORY);
}

/** The name of the socket in its folder. */
static const char *name_in_folder(const struct place *place) { return place->path + folder_length(place->path); }

/** Removes a stale socket from `folder`. Returns 0, or minus the reason why the place cannot be used. */
static long make_room_at(const struct place *place, int folder) {
  struct status found;
  long result = sys_stat(folder, name_in_folder(place), &found, AT_SYMLINK_NOFOLLOW);
  if (result == -ENOENT) return 0;
  if (result < 0) return result;
  if ((found.mode & S_IFMT) != S_IFSOCK) return -WHY_NO_SOCKET;
  long fd = connect_to(place->path);
  if (fd >= 0) sys_close((int)fd);
  if (fd >= 0 || fd == -EAGAIN || fd == -EPROTOTYPE) return -WHY_OCCUPIED;
  // Only a refused connection proves that nothing listens (connect(2)).
  if (fd != -ECONNREFUSED) return fd;
  return sys(__NR_unlinkat, folder, name_in_folder(place), 0);
}

/** Creates a socket at the place and listens. Returns its descriptor, or minus an errno. */
static long listen_at(const struct place *place) {
  struct address address = {.family = AF_UNIX};
  struct status made;
  memcpy(address.path, place->path, strlen(place->path) + 1);
  long fd = sys(__NR_socket, AF_UNIX, SOCK_STREAM | O_NONBLOCK | O_CLOEXEC, 0);
  if (fd < 0) return fd;
  // The umask is set before bind(2), so that no other user can connect at any moment.
  long umask = sys(__NR_umask, 0177);
  long failure = sys(__NR_bind, fd, &address, sizeof address.family + strlen(place->path) + 1);
  sys(__NR_umask, umask);
  if (failure == 0) failure = sys(__NR_listen, fd, QUEUE);
  if (failure == 0) failure = sys_stat(AT_FDCWD, place->path, &made, AT_SYMLINK_NOFOLLOW);
  if (failure == 0) {
    ours.place = *place;
    ours.dev = made.dev;
    ours.ino = made.ino;
    return fd;
  }
  sys_close((int)fd);
  return failure;
}

/**
 * Locks the folder while a socket is removed or created. Otherwise one of two supervisors that start together could
 * remove the new socket of the other as stale.
 */
static long lock(int folder) {
  const struct time moment = {0, 1000000};
  for (int tries = 0; tries < LOCK_TRIES; tries++) {
    // Some file systems have no locks (ENOLCK); the socket is better than nothing there.
    if (sys(__NR_flock, folder, LOCK_EX_NB) != -EAGAIN) return 0;
    sys_poll(NULL, 0, &moment);
  }
  return -EAGAIN;
}

/** Listens at the first usable place. */
static int listen_at_first(const struct place *places, u32 count, struct handover *handover, int *is_occupied) {
  for (u32 at = 0; at < count; at++) {
    const struct place *place = &places[at];
    long folder = *place->path ? open_folder(place) : -ENAMETOOLONG, fd = folder;
    if (folder >= 0) {
      fd = lock((int)folder);
      if (fd == 0) fd = make_room_at(place, (int)folder);
      if (fd == 0) fd = listen_at(place);
      sys_close((int)folder);
    }
    if (fd >= 0) {
      add_line(handover, "socket=", place->path);
      return (int)fd;
    }
    if (fd == -WHY_OCCUPIED) *is_occupied = 1;
    add_unusable(handover, place, -fd);
  }
  return -1;
}

int listen_control(const struct start *start, struct handover *handover) {
  struct place places[PLACES];
  const char *chosen = named_socket(start);
  int is_occupied = 0;
  int fd = listen_at_first(places, list_places(start, chosen, places), handover, &is_occupied);
  // In a service of another supervisor, the variable names the socket of that supervisor.
  if (fd < 0 && chosen && is_occupied) fd = listen_at_first(places, list_places(start, NULL, places), handover, &is_occupied);
  return fd;
}

void close_control(void) {
  struct place *place = &ours.place;
  struct status found;
  if (!*place->path) return;
  long folder = open_folder(place);
  // Another supervisor may have replaced the socket.
  if (folder >= 0 && lock((int)folder) == 0 &&
      sys_stat((int)folder, name_in_folder(place), &found, AT_SYMLINK_NOFOLLOW) == 0 && found.dev == ours.dev &&
      found.ino == ours.ino)
    sys(__NR_unlinkat, folder, name_in_folder(place), 0);
  if (place->is_made) {
    place->path[place->folder] = 0;
    sys(__NR_unlinkat, AT_FDCWD, place->path, AT_REMOVEDIR);
  }
}
