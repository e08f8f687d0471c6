/* lwIP's threads, locks and mailboxes, on ours. */
#ifndef ARCH_SYS_ARCH_H
#define ARCH_SYS_ARCH_H

struct stack_semaphore;
struct stack_mailbox;
struct stack_mutex;
typedef struct stack_semaphore *sys_sem_t;
typedef struct stack_mailbox *sys_mbox_t;
typedef struct stack_mutex *sys_mutex_t;
typedef void *sys_thread_t;

#define sys_sem_valid(sem) (*(sem) != 0)
#define sys_sem_set_invalid(sem) (*(sem) = 0)
#define sys_mbox_valid(box) (*(box) != 0)
#define sys_mbox_set_invalid(box) (*(box) = 0)
#define sys_mutex_valid(mutex) (*(mutex) != 0)
#define sys_mutex_set_invalid(mutex) (*(mutex) = 0)

#endif
