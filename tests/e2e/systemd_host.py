"""A Debian with systemd as process 1, booted as an LXC container in one of network.py's hosts.

The root folder is made once per build folder (debootstrap, about half a minute) and reused below
an overlay, so that every test starts from the same Debian and leaves nothing in it.
"""
import re
import shutil
import subprocess
from pathlib import Path

from harness import ROOT, Failure, Skip, wait_for

SUITE = "bookworm"


def _libraries(program):
    """The files of the shared libraries that a program needs: those that the loader brings, and
    those whose names are in it because it opens them when they are first used."""
    def run(*command):
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout
    linked = re.findall(r"=> (/\S+)", run("ldd", program))
    named = {each.decode() for each in
             re.findall(rb"\0(lib[a-z]+\.so\.\d+)\0", Path(program).read_bytes())}
    opened = named - {Path(each).name for each in linked}
    return linked + [path for name, path in
                     re.findall(r"^\s*(\S+) \(.*=> (/\S+)$", run("ldconfig", "-p"), re.M)
                     if name in opened]


def _library_packages(program):
    """The Debian packages of the shared libraries that a program needs."""
    paths = {each: str(Path(each).resolve()) for each in _libraries(program)}
    known = {}
    asked = {one for each, real in paths.items() for one in (each, real, real.removeprefix("/usr"))}
    for line in subprocess.run(["dpkg", "-S", *asked], capture_output=True,
                               text=True).stdout.splitlines():
        package, _, path = line.rpartition(": ")
        known[path] = package.split(":")[0]
    names = set()
    for path, real in paths.items():
        name = known.get(real) or known.get(real.removeprefix("/usr")) or known.get(path)
        if name is None:
            raise Skip(f"{path} is of no Debian package: no Debian can be made to run {program}")
        names.add(name)
    return sorted(names)


def _mirror():
    for path in [Path("/etc/apt/sources.list"), *Path("/etc/apt/sources.list.d").glob("*")]:
        if path.exists():
            for url in re.findall(r"https?://[^\s]+", path.read_text(errors="replace")):
                if re.search(r"/debian/?$", url):
                    return url
    return "http://deb.debian.org/debian"


def debian(build, program):
    """The root folder, made anew when the program's libraries have changed."""
    for tool in ("debootstrap", "lxc-start", "dpkg"):
        if shutil.which(tool) is None:
            raise Skip(f"no {tool} on this machine")
    samples = (ROOT / build / "samples").resolve()
    samples.mkdir(parents=True, exist_ok=True)
    root, stamp = samples / "debian-systemd", samples / "debian-systemd.packages"
    packages = ",".join(["systemd", "systemd-sysv", "dbus", *_library_packages(program)])
    if stamp.exists() and stamp.read_text() == packages:
        return root
    part = samples / "debian-systemd.part"
    for old in (part, root):
        shutil.rmtree(old, ignore_errors=True)
    done = subprocess.run(["debootstrap", "--variant=minbase", f"--include={packages}", SUITE,
                           part, _mirror()], capture_output=True, text=True)
    for inside in ("proc", "sys", "dev"):
        subprocess.run(["umount", "-l", part / inside], capture_output=True)
    if done.returncode != 0:
        shutil.rmtree(part, ignore_errors=True)
        raise Skip("debootstrap failed: " + (done.stdout + done.stderr).strip()[-300:])
    shutil.rmtree(part / "var/cache/apt/archives", ignore_errors=True)
    part.rename(root)
    stamp.write_text(packages)
    return root


class SystemdHost:
    """`name` is one of the site's hosts: the container has that host's network."""

    def __init__(self, site, build, name):
        self.site, self.name = site, name
        self.container = f"clarity-{site.dir.name[-8:]}-{name}".replace("_", "x")
        self.base = debian(build, site.bin / "orchestrix-agent")
        self.home = site.dir / f"{name}-host"
        self.root = self.home / "root"
        self.enter = site.net.enter(name)

    def __enter__(self):
        for folder in ("root", "changes", "work", f"lxc/{self.container}"):
            (self.home / folder).mkdir(parents=True)
        subprocess.run(["mount", "-t", "overlay", "overlay", "-o",
                        f"lowerdir={self.base},upperdir={self.home}/changes,"
                        f"workdir={self.home}/work", self.root], check=True)
        (self.root / "etc/hostname").write_text(f"{self.name}\n")
        (self.home / "lxc" / self.container / "config").write_text(
            f"lxc.uts.name = {self.name}\nlxc.rootfs.path = dir:{self.root}\n"
            "lxc.init.cmd = /lib/systemd/systemd\nlxc.net.0.type = none\n"
            "lxc.mount.auto = proc:mixed sys:ro cgroup:rw\nlxc.tty.max = 0\nlxc.pty.max = 64\n"
            "lxc.apparmor.profile = unconfined\n"
            "lxc.cap.drop = mac_admin mac_override sys_time sys_module sys_rawio\n")
        return self

    def __exit__(self, kind, error, trace):
        if error is not None and not isinstance(error, Skip):
            self.show()
        self._lxc("lxc-stop", "-k")
        subprocess.run(["umount", "-l", self.root], capture_output=True)

    def _lxc(self, tool, *arguments):
        return subprocess.run([*self.enter, tool, "-n", self.container, "-P", self.home / "lxc",
                               *arguments], capture_output=True, text=True, timeout=60,
                              stdin=subprocess.DEVNULL)

    def show(self):
        print(f"---- {self.name}: journal")
        print(self.run("journalctl", "--no-pager", "-n", "60", code=None))

    def boot(self):
        done = self._lxc("lxc-start", "-l", "info", "-o", str(self.home / "lxc.log"),
                         "--console-log", str(self.home / "console.log"))
        if done.returncode != 0:
            raise Skip("LXC cannot boot a container here: " + done.stderr.strip()[-300:])
        try:
            self.wait_up()
        except Failure:
            log = self.home / "console.log"
            text = log.read_text(errors="replace")[-300:] if log.exists() else "it said nothing"
            raise Skip(f"systemd does not come up in a container here: {text}") from None

    def wait_up(self):
        wait_for("systemd in its container", 30, lambda: self.run(
            "systemctl", "is-system-running", code=None).strip() in ("running", "degraded"))

    def reboot(self):
        before = self.process_one()
        self.run("systemctl", "reboot", code=None)
        wait_for("the container to come back", 40,
                 lambda: self.process_one() not in (None, before))
        self.wait_up()

    def process_one(self):
        found = re.search(r"PID:\s+(\d+)", self._lxc("lxc-info", "-p").stdout)
        return int(found.group(1)) if found else None

    def run(self, *command, code=0):
        """Runs a program in the container; what it wrote. `code` None accepts any exit code."""
        done = self._lxc("lxc-attach", "--clear-env", "--", *map(str, command))
        if code is not None and done.returncode != code:
            raise Failure(f"{self.name}: {' '.join(map(str, command))} ended with "
                          f"{done.returncode}: {done.stdout}{done.stderr}")
        return done.stdout

    def kill(self, pid):
        self.run("sh", "-c", f"kill -9 {pid}")

    def unit(self, service):
        """The file name of a service's unit; None where there is none."""
        found = [each.name for each in (self.root / "etc/systemd/system").glob(
            f"orchestrix-????????-{service}.service")]
        if len(found) > 1:
            raise Failure(f"{self.name} has several units of {service}: {found}")
        return found[0] if found else None

    def show_unit(self, unit, *names):
        text = self.run("systemctl", "show", unit, *[f"-p{name}" for name in names])
        values = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
        return [values.get(name, "") for name in names]
