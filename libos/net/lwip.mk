# lwIP as one archive, unchanged. Called by ../Makefile with CC, AR, LWIP (the unpacked source), OUT and FLAGS.
SOURCES := $(wildcard $(LWIP)/src/core/*.c $(LWIP)/src/core/ipv4/*.c) $(LWIP)/src/netif/ethernet.c \
           $(addprefix $(LWIP)/src/api/,api_lib.c api_msg.c err.c if_api.c netbuf.c netdb.c netifapi.c sockets.c tcpip.c)
OBJECTS := $(SOURCES:$(LWIP)/%=$(OUT)/%.o)

$(OUT).a: $(OBJECTS)
	rm -f $@; $(AR) rcs $@ $(OBJECTS)
$(OUT)/%.c.o: $(LWIP)/%.c net/lwipopts.h net/arch/cc.h net/arch/sys_arch.h
	mkdir -p $(@D); $(CC) -std=gnu11 -w $(FLAGS) -c $< -o $@
