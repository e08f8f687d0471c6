/* The map of FlexCapsule OS: every function that one file offers to the others, grouped by the file that defines it.
 * What an application may call is in include/flexcapsule.h and the C library's headers; nothing else is public.
 *
 * Rules that hold everywhere:
 *   - One vcpu, cooperative threads, no upcalls: nothing interrupts running code, so there are no locks around plain
 *     data. Whoever may wait (the functions marked "may wait") lets others run.
 *   - Whatever names a machine frame, an event channel or a grant lives in one file's static, and that file's resume
 *     function is its only other writer (kernel/lifecycle.c holds the table).
 *   - What a backend or XenStore wrote is hostile until checked.
 *   - Functions return 0 or a count on success and a negative errno value on failure. */
#ifndef INTERNAL_H
#define INTERNAL_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <xen/event_channel.h>
#include <xen/xen.h>

#define PAGE_SHIFT 12
#undef PAGE_SIZE /* limits.h has it as an int */
#define PAGE_SIZE 4096UL
#define PAGES_OF(bytes) (((bytes) + PAGE_SIZE - 1) >> PAGE_SHIFT)
#define DIMENSION(array) (sizeof(array) / sizeof((array)[0]))
#define NEVER UINT64_MAX
#define MS 1000000ULL /* nanoseconds */
#define SECOND 1000000000ULL

typedef unsigned long pfn_t; /* the guest's own page number: address >> 12, stable for ever */
typedef unsigned long mfn_t; /* Xen's page number: another one after every move */

/* kernel/start.c */
void kernel_start(struct start_info *info);
const char *start_command_line(void);
const void *start_archive(size_t *bytes); /* the ramdisk; NULL when there is none */

/* kernel/startinfo.c: the start_info page and shared_info; the two outermost entries of the suspend table */
void startinfo_set(struct start_info *info);
const struct start_info *startinfo(void);
mfn_t startinfo_frame(void);
void startinfo_suspend(void);
void startinfo_resume(bool cancelled);
union shared_page { struct shared_info info; char page[PAGE_SIZE]; };
extern union shared_page shared_page; /* Xen's page is mapped over this symbol, except while suspended */
#define SHARED (shared_page.info)
void sharedinfo_map(void);
void sharedinfo_suspend(void);
void sharedinfo_resume(bool cancelled);

/* kernel/p2m.c */
void p2m_start(void);
void p2m_publish(void); /* tell Xen where the list is: at start and in every new domain */
pfn_t p2m_count(void);
mfn_t p2m_frame(pfn_t pfn); /* of a page that is present */
pfn_t p2m_page(mfn_t mfn);  /* the way back, by Xen's table */
enum page_presence { PAGE_PRESENT, PAGE_HIDDEN, PAGE_ABSENT };
enum page_presence p2m_presence(pfn_t pfn);
void p2m_hide(pfn_t pfn);            /* ours still, but the migration stream skips it */
void p2m_show(pfn_t pfn);
void p2m_absent(pfn_t pfn);          /* given back to Xen */
size_t p2m_populate(pfn_t pfn, size_t pages);

/* kernel/pagetable.c */
enum protection { MAP_NOTHING, MAP_READ_ONLY, MAP_WRITABLE };
pfn_t pagetable_start(void); /* the first page that is not mapped */
mfn_t pagetable_root_frame(void);
bool pagetable_has_table(pfn_t pfn);
void pagetable_add_table(pfn_t pfn, pfn_t table); /* table: a zeroed page, from now on a page table */
void pagetable_map(pfn_t pfn, size_t pages, enum protection protection);
bool pagetable_writable(pfn_t pfn);
void pagetable_map_frame(const void *address, mfn_t mfn);

/* kernel/memory.c: whole pages, contiguous */
void memory_start(pfn_t first_unmapped);
void *pages_alloc(size_t pages); /* zeroed; NULL when there is no such run */
void pages_free(void *address, size_t pages);
bool pages_used(const void *address, size_t pages); /* all of them handed out? */
struct memory_count { size_t total, free, mapped_free, ballooned; }; /* pages */
struct memory_count memory_count(void);
size_t memory_hide(size_t keep);       /* unmap and hide free pages but for `keep`; may wait */
size_t memory_claim(void);             /* populate free pages that a move left behind; may wait; how many */
size_t memory_give_back(size_t pages); /* to Xen: how many went */
void memory_give_again(void); /* after a move */
size_t memory_take_back(size_t pages);

/* kernel/heap.c */
void *heap_alloc(size_t bytes); /* zeroed; NULL */
void heap_free(void *memory, size_t bytes);

/* kernel/events.c */
typedef void event_handler(void *argument); /* runs in the scheduler, on whatever stack: it may only wake threads */
void events_start(void);
void event_bind(evtchn_port_t port, event_handler *handler, void *argument);
int event_alloc(domid_t remote, event_handler *handler, void *argument); /* a new port for `remote` to bind */
void event_close(evtchn_port_t port);
void event_notify(evtchn_port_t port);
bool events_handle(void);                 /* run the handlers of what is pending */
void events_wait(uint64_t until_host_ns); /* sleep until something is pending; 0: for ever */
void events_suspend(void);
void events_resume(bool cancelled);

/* kernel/grants.c */
void grants_start(void);
int grant_access(domid_t remote, const void *page, bool read_only); /* a grant reference */
void grant_end(int reference);
void grants_suspend(void);
void grants_resume(bool cancelled);

/* kernel/time.c: nanoseconds */
void time_start(void);
uint64_t time_monotonic(void); /* goes on across migration */
uint64_t time_real(void);      /* since 1970; never goes backwards either */
uint64_t time_to_host(uint64_t monotonic); /* the same instant on Xen's own clock */
void time_suspend(void);
void time_resume(bool cancelled);

/* kernel/threads.c, kernel/scheduler.c; what they share is in kernel/thread.h */
struct thread;
struct waiters { struct thread *first, *last; };
void scheduler_start(void); /* what runs becomes the first thread */
struct thread *thread_create(const char *name, void (*function)(void *), void *argument);
struct thread *thread_create_on(void *stack_top, void *tls, void (*function)(void *), void *argument);
struct thread *thread_current(void);
int thread_id(const struct thread *thread);
void thread_set_tls(void *tls);
void *thread_tls(void);
void thread_set_exit(struct thread *thread, void *clear_tid); /* zeroed, and woken as a futex, at its end */
void thread_exit(void) __attribute__((noreturn));
void thread_exit_unmapping(void *stack, size_t bytes) __attribute__((noreturn));
void thread_yield(void);                                        /* may wait */
void thread_breathe(void); /* a busy thread's way to let events in: yields at most every millisecond */
bool wait_on(struct waiters *waiters, uint64_t until);          /* may wait; false: the time came first */
bool wait_interruptible(struct waiters *waiters, uint64_t until); /* also ends, true, by thread_interrupt */
void thread_interrupt(struct thread *thread);
void wake_one(struct waiters *waiters);
void wake_all(struct waiters *waiters);
void thread_sleep(uint64_t until);                              /* may wait */
uint64_t scheduler_busy_ns(void);
struct thread *thread_by_id(int id);

/* kernel/mutex.c */
struct mutex { struct thread *owner; struct waiters waiters; };
void mutex_lock(struct mutex *mutex); /* may wait */
void mutex_unlock(struct mutex *mutex);

/* kernel/xenstore.c (ring, watches), kernel/xenstore_calls.c (requests): all may wait unless marked */
#define XS_VALUE_MAX 4096
void xenstore_start(void);
int xenstore_ask(uint32_t type, uint32_t transaction, const char *a, size_t a_bytes, const char *b, size_t b_bytes,
                 char *answer, size_t size); /* the answer's length */
int xenstore_error(const char *name); /* "ENOENT" -> -ENOENT */
int xenstore_read(const char *path, char *value, size_t size); /* length without the final 0, which is always put */
int xenstore_write(const char *path, const char *value);
int xenstore_printf(const char *path, const char *format, ...) __attribute__((format(printf, 2, 3)));
int xenstore_remove(const char *path);
int xenstore_list(const char *path, char *names, size_t size); /* each ended by 0 */
int xenstore_begin(uint32_t *transaction);
int xenstore_end(uint32_t transaction, bool commit); /* -EAGAIN: do it again */
int xenstore_read_in(uint32_t transaction, const char *path, char *value, size_t size);
int xenstore_write_in(uint32_t transaction, const char *path, const char *value);
struct xenstore_key { const char *name; char value[24]; };
int xenstore_write_all(const char *directory, const struct xenstore_key *keys, size_t count); /* one wait for all */
typedef void watch_handler(void *argument); /* may only wake threads */
int xenstore_watch(const char *path, watch_handler *handler, void *argument);
void xenstore_unwatch(const char *path, watch_handler *handler, void *argument);
void xenstore_suspend(void); /* may wait */
void xenstore_resume(bool cancelled);
void xenstore_watch_again(void); /* after a move: may wait */

/* kernel/console.c */
void console_start(void);
void console_write(const char *text, size_t bytes);            /* may wait for room, once threads run */
size_t console_read(char *buffer, size_t bytes);               /* what is there */
void console_on_input(void (*heard)(void));
void console_print(const char *format, ...) __attribute__((format(printf, 1, 2)));
void console_flush(void);
void console_resume(bool cancelled);

/* kernel/panic.c */
struct trap_frame;
void panic_trap(const struct trap_frame *frame) __attribute__((noreturn));
void panic(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));
void traps_start(void);

/* kernel/lifecycle.c */
void lifecycle_start(void);
void lifecycle_settled(void);       /* after a move: the network is back */
void lifecycle_await_settled(void); /* what can wait while it is not: may wait, half a second at most */
void lifecycle_on_poweroff(void (*asked)(void)); /* instead of powering off at once */
void machine_off(int status) __attribute__((noreturn)); /* publishes the status; may wait */
unsigned lifecycle_moves(void); /* suspends survived, cancelled ones too */

/* kernel/balloon.c */
void balloon_start(void);
void balloon_resume(bool cancelled);

/* kernel/telemetry.c */
void telemetry_start(void);

/* kernel/entropy.c */
void entropy_start(void);
void entropy_fill(void *buffer, size_t bytes);
void entropy_resume(bool cancelled);

/* drivers/netfront.c, drivers/netfront_handshake.c; what they share is in drivers/netfront.h */
void network_start(void);
bool network_present(void);
const uint8_t *network_mac(void);
int network_send(const void *frame, size_t bytes);
void network_suspend(void);
void network_resume(bool cancelled);

/* drivers/blkfront.c, drivers/blkfront_handshake.c */
void block_start(void);
uint64_t block_sectors(void); /* 0: no disk */
int block_transfer(uint64_t sector, void *page, size_t sectors, bool write); /* may wait; at most a page */
int block_flush(void);                                                       /* may wait */
void block_suspend(void);
void block_resume(bool cancelled);

/* net/stack.c: lwIP on netfront */
void stack_start(void);
void stack_input(const void *frame, size_t bytes, bool checked); /* from netfront's thread */
void stack_announce(void);
void stack_await_address(void); /* a while at most */
size_t stack_name_servers(char *text, size_t size); /* as resolv.conf has them */
void stack_count(uint64_t *received, uint64_t *sent);

/* posix/ (what the rest of the library OS needs of it; its own map is posix/posix.h) */
void settings_start(void);
void posix_start(void);
const char *setting(const char *name); /* from the command line; NULL when absent */
void io_changed(void); /* something may have become readable or writable: who polls looks again */
void futex_wake_address(volatile int *address, int count);

/* lib/: plain C, tested on the host; see the headers there */

#endif
