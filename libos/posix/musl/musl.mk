# musl as one archive, for one address space: everything but the dynamic linker; what enters the kernel by hand comes
# from entry.S beside this file. Called by ../../Makefile with CC, AR, MUSL (the unpacked source) and OUT.
HAND := src/thread/x86_64/clone.s src/thread/x86_64/syscall_cp.s src/thread/x86_64/__unmapself.s \
        src/thread/x86_64/__set_thread_area.s src/signal/x86_64/restore.s src/process/x86_64/vfork.s
REPLACED_C := src/thread/clone.c src/thread/syscall_cp.c src/thread/__unmapself.c src/thread/__set_thread_area.c \
        src/signal/restore.c src/process/vfork.c
ARCH_ALL := $(patsubst $(MUSL)/%,%,$(wildcard $(MUSL)/src/*/x86_64/*.s $(MUSL)/src/*/x86_64/*.c))
ARCH := $(filter-out $(HAND),$(ARCH_ALL))
BASE := $(patsubst $(MUSL)/%,%,$(wildcard $(MUSL)/src/*/*.c $(MUSL)/src/malloc/mallocng/*.c))
# an architecture's file replaces the general one of the same name
SHADOWED := $(foreach f,$(basename $(ARCH_ALL)),$(subst /x86_64/,/,$(f)).c)
SOURCES := $(filter-out src/ldso/% $(SHADOWED) $(REPLACED_C),$(BASE)) $(ARCH)
OBJECTS := $(SOURCES:%=$(OUT)/%.o)
FLAGS := -std=c99 -nostdinc -ffreestanding -D_XOPEN_SOURCE=700 -Os -g -mno-red-zone -fno-pic -fno-pie -fno-stack-protector \
         -fcf-protection=none -fno-omit-frame-pointer -frounding-math -fexcess-precision=standard -Wa,--noexecstack \
         -ffunction-sections -fdata-sections -w -Iposix/musl -I$(MUSL)/arch/x86_64 -I$(MUSL)/arch/generic -I$(OUT)/internal \
         -I$(MUSL)/src/include -I$(MUSL)/src/internal -I$(OUT)/include -I$(MUSL)/include -fno-asynchronous-unwind-tables
HEADERS := $(OUT)/include/bits/alltypes.h $(OUT)/include/bits/syscall.h $(OUT)/internal/version.h

$(OUT).a: $(OBJECTS)
	rm -f $@; $(AR) rcs $@ $(OBJECTS)
$(OUT)/include/bits/alltypes.h: $(MUSL)/tools/mkalltypes.sed
	mkdir -p $(@D); sed -f $< $(MUSL)/arch/x86_64/bits/alltypes.h.in $(MUSL)/include/alltypes.h.in > $@
$(OUT)/include/bits/syscall.h: $(MUSL)/arch/x86_64/bits/syscall.h.in
	mkdir -p $(@D); cp $< $@; sed -n -e s/__NR_/SYS_/p < $< >> $@
$(OUT)/internal/version.h:
	mkdir -p $(@D); echo '#define VERSION "Debian source package"' > $@
$(OUT)/%.c.o: $(MUSL)/%.c $(HEADERS)
	mkdir -p $(@D); $(CC) $(FLAGS) -c $< -o $@
$(OUT)/%.s.o: $(MUSL)/%.s $(HEADERS)
	mkdir -p $(@D); $(CC) $(FLAGS) -c $< -o $@
