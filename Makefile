# Every target installs what it needs and is not there, so each may be the
# first command on a fresh machine.

SHELL := /bin/bash

MODULE := build/ngx_http_npmtoken_module.so

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: all deps demo run ctl install uninstall test unit builds t examples
.PHONY: docs clients web lint soak consistency property model faults mutants
.PHONY: bench package matrix container quickstart clean help
.PHONY: $(MODULE)


all: $(MODULE)

# tools/build knows what is out of date
$(MODULE):
	@tools/deps build
	@tools/build

deps:
	@tools/deps all

demo: $(MODULE)
	@tools/deps demo
	@node demo/demo.mjs

run: $(MODULE)
	@tools/deps demo
	@node demo/demo.mjs --stay

ctl:
	@tools/deps ctl
	@tools/build-ctl

# where, and in front of what: tools/install says what these are

WHERE = DESTDIR='$(DESTDIR)' PREFIX='$(PREFIX)' MODULESDIR='$(MODULESDIR)'

install: $(MODULE) ctl
	@tools/man
	@$(WHERE) tools/install

uninstall:
	@$(WHERE) tools/install --uninstall

test:
	@tools/test lint unit builds t ctl examples docs clients-short life-short \
	    web-short property-short consistency

unit builds t examples docs consistency lint soak:
	@tools/test $@

clients:
	@tools/test clients life

web:
	@tools/test web

model:
	@tools/deps model
	@t/model/run

# how long, which faults, and the bound in milliseconds
SECONDS := 60
SEED    := 1
BOUND   := 400

# failovers: of what (sentinel, cluster), and how many replicas confirm
ON      :=
WAIT    := 1
PROOF   := 0

property: SECONDS := 600
property: $(MODULE)
	@tools/deps build demo
	@t/property/run $(SECONDS) $(SEED)

faults: $(MODULE)
	@tools/deps build consistency
	@t/faults/run $(SECONDS) $(SEED) --bound $(BOUND) \
	    $(if $(ON),--on $(ON) --wait $(WAIT) --proof $(PROOF))

mutants:
	@tools/deps build consistency
	@t/faults/mutants

bench: $(MODULE)
	@tools/deps build bench
	@bench/run

scale: $(MODULE)
	@tools/deps build bench
	@bench/scale

package:
	@tools/deps package
	@tools/package --lint

# SUITES, PARTS and FILES choose some; tools/matrix says which there are

matrix:
	@tools/deps matrix
	@SUITES='$(SUITES)' PARTS='$(PARTS)' FILES='$(FILES)' tools/matrix

container:
	@tools/deps container
	@t/container/run

# docs/quick-start.md, typed on a fresh Debian: SUITES=trixie for another one

quickstart:
	@tools/deps quickstart
	@t/quickstart/run $(SUITES)

clean:
	@rm -rf build t/servroot*
	@echo "removed build/"

help:
	@tools/help
