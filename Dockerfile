# nginx of Debian with the packages of this repository:
#
#     docker build -t npmtoken .
#
# conf-examples/container/ has a configuration, a compose file, and manifests
# for Kubernetes.  t/container/run takes the same steps in a chroot.

FROM debian:trixie-slim AS build

ENV DEBIAN_FRONTEND=noninteractive

RUN apt-get update && \
    apt-get install -y --no-install-recommends build-essential

COPY . /src
WORKDIR /src

RUN apt-get build-dep -y --no-install-recommends /src && \
    DEB_BUILD_OPTIONS=noautodbgsym tools/package /out


FROM debian:trixie-slim

ENV DEBIAN_FRONTEND=noninteractive

COPY --from=build /out/*.deb /tmp/packages/

RUN apt-get update && \
    apt-get install -y --no-install-recommends ca-certificates nginx \
        /tmp/packages/*.deb && \
    rm -rf /var/lib/apt/lists/* /tmp/packages

COPY conf-examples/container/nginx.conf /etc/nginx/nginx.conf

# nobody, by number: Kubernetes asks whether that is not root's.  All that is
# written goes to /tmp, so the root may be read-only.

USER 65534:65534
EXPOSE 8080
STOPSIGNAL SIGQUIT
CMD ["/usr/sbin/nginx", "-e", "stderr", "-g", "daemon off;"]
