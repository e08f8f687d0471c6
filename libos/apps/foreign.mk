# A program of somebody else's, as one archive, its source unchanged. Called by ../Makefile with CC, AR, OUT, SOURCES and FLAGS.
OBJECTS := $(addprefix $(OUT)/,$(notdir $(SOURCES:.c=.o)))

$(OUT).a: $(OBJECTS)
	rm -f $@; $(AR) rcs $@ $(OBJECTS)
vpath %.c $(sort $(dir $(SOURCES)))
$(OUT)/%.o: %.c
	mkdir -p $(@D); $(CC) $(FLAGS) -c $< -o $@
