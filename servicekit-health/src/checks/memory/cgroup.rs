//! What the kernel tells of a control group's memory, in both versions.
//!
//! <https://docs.kernel.org/admin-guide/cgroup-v2.html>,
//! <https://docs.kernel.org/admin-guide/cgroup-v1/memory.html>

use std::fs;
use std::path::{Path, PathBuf};

use super::share;

/// What is known of the memory.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Usage {
    pub(super) bounds: Bounds,
    /// The share of the last minute in which all tasks were stalled.
    pub(super) stalled: Option<f64>,
}

/// The limit that is nearest to being reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bounds {
    pub(super) used: u64,
    pub(super) limit: u64,
    pub(super) by: String,
}

impl Bounds {
    fn share(&self) -> f64 {
        share(self.used, self.limit)
    }
}

/// The names of one version's files.
struct Version {
    current: &'static str,
    inactive_file: &'static str,
    max: &'static str,
}

const V1: Version = Version {
    current: "memory.usage_in_bytes",
    inactive_file: "total_inactive_file",
    max: "memory.limit_in_bytes",
};

const V2: Version =
    Version { current: "memory.current", inactive_file: "inactive_file", max: "memory.max" };

/// Reads what `root/proc` and `root/sys` tell, or says why nothing could be read.
pub(super) fn read(root: &Path) -> Result<Usage, String> {
    let group = Group::of_this_process(root);
    let limited = group.as_ref().and_then(Group::tightest);
    let bounds = match limited {
        Some(bounds) => bounds,
        None => machine(root)?,
    };
    Ok(Usage { bounds, stalled: group.and_then(|group| stalled(&group.own())) })
}

/// The control group that accounts for the memory of this process.
struct Group {
    version: Version,
    /// Where the hierarchy is mounted.
    mount: PathBuf,
    /// The group, from there.
    path: PathBuf,
}

impl Group {
    fn of_this_process(root: &Path) -> Option<Self> {
        let groups = fs::read_to_string(root.join("proc/self/cgroup")).ok()?;
        let mounts = fs::read_to_string(root.join("proc/self/mountinfo")).ok()?;
        // Where version 1 has the memory controller, version 2 has none.
        let v1 = group_line(&groups, |controllers| {
            controllers.split(',').any(|controller| controller == "memory")
        });
        let (version, name, mount) = match v1 {
            Some(name) => (
                V1,
                name,
                mounted(&mounts, |kind, options| {
                    kind == "cgroup" && options.split(',').any(|option| option == "memory")
                })?,
            ),
            None => (
                V2,
                group_line(&groups, str::is_empty)?,
                mounted(&mounts, |kind, _| kind == "cgroup2")?,
            ),
        };
        // A container sees its own group as the root of the mount, under the name it has outside.
        let path = match Path::new(name).strip_prefix(&mount.shown) {
            Ok(path) => path.to_owned(),
            Err(_) => Path::new(name).strip_prefix("/").ok()?.to_owned(),
        };
        let mount = root.join(mount.point.strip_prefix("/").ok()?);
        // The nearest group that is seen and accounts for memory: a group may be left to its parent's
        // account (`cgroup.subtree_control`), and a name may lead out of what is mounted.
        let accounts = |path: &Path| mount.join(path).join(version.current).exists();
        let path = path.ancestors().find(|path| accounts(path)).unwrap_or(Path::new("")).to_owned();
        Some(Self { version, mount, path })
    }

    fn own(&self) -> PathBuf {
        self.mount.join(&self.path)
    }

    /// Of this group and those above it, the one with the largest share of its limit used.
    fn tightest(&self) -> Option<Bounds> {
        let own = self.used(&self.own())?;
        let bounds = self.path.ancestors().filter_map(|path| {
            let directory = self.mount.join(path);
            let limit = self.limit(&directory)?;
            // A group's count includes the groups below it, and its siblings use up its limit too.
            let used = self.used(&directory).unwrap_or_default().max(own);
            Some(Bounds { used, limit, by: format!("cgroup /{}", path.display()) })
        });
        // The first of equals, which is the nearest to the process.
        bounds.reduce(|first, next| if next.share() > first.share() { next } else { first })
    }

    /// What is used without the page cache that is taken back first.
    fn used(&self, directory: &Path) -> Option<u64> {
        let current = number(&directory.join(self.version.current))?;
        let stat = fs::read_to_string(directory.join("memory.stat")).unwrap_or_default();
        let inactive = field(&stat, self.version.inactive_file).unwrap_or_default();
        Some(current.saturating_sub(inactive))
    }

    /// `None` without a limit, which version 1 writes as a number near the highest: one that exceeds
    /// 2^60, more than any machine has.
    fn limit(&self, directory: &Path) -> Option<u64> {
        // Version 1 also tells the lowest limit of the groups above, which may be out of sight.
        let stat = fs::read_to_string(directory.join("memory.stat")).unwrap_or_default();
        let above = field(&stat, "hierarchical_memory_limit");
        let limits = [number(&directory.join(self.version.max)), above];
        limits.into_iter().flatten().filter(|limit| (1..1 << 60).contains(limit)).min()
    }
}

/// The name of the group whose controllers, the second field, are those.
fn group_line(groups: &str, controllers: impl Fn(&str) -> bool) -> Option<&str> {
    groups.lines().find_map(|line| {
        let mut fields = line.splitn(3, ':').skip(1);
        fields.next().filter(|field| controllers(field)).and_then(|_| fields.next())
    })
}

/// A hierarchy's mount: which of its groups is shown, and where.
struct Mount {
    shown: PathBuf,
    point: PathBuf,
}

/// The first mount of this type and with these options in `/proc/self/mountinfo`, see proc(5).
fn mounted(mounts: &str, wanted: impl Fn(&str, &str) -> bool) -> Option<Mount> {
    mounts.lines().find_map(|line| {
        let (place, source) = line.split_once(" - ")?;
        let mut source = source.split(' ');
        let (kind, options) = (source.next()?, source.nth(1)?);
        let mut place = place.split(' ').skip(3).map(PathBuf::from);
        let (shown, point) = (place.next()?, place.next()?);
        wanted(kind, options).then_some(Mount { shown, point })
    })
}

/// The machine's memory, for a process without a limit.
fn machine(root: &Path) -> Result<Bounds, String> {
    let path = root.join("proc/meminfo");
    let text = fs::read_to_string(path).map_err(|error| format!("/proc/meminfo: {error}"))?;
    let bytes = |key| field(&text, key).and_then(|kibibytes| kibibytes.checked_mul(1024));
    match (bytes("MemTotal:"), bytes("MemAvailable:")) {
        (Some(limit @ 1..), Some(available)) => {
            let used = limit.saturating_sub(available);
            Ok(Bounds { used, limit, by: "machine".to_owned() })
        }
        _ => Err("/proc/meminfo: MemTotal and MemAvailable expected".to_owned()),
    }
}

/// `full avg60` of the group's `memory.pressure`, as a share.
fn stalled(directory: &Path) -> Option<f64> {
    let text = fs::read_to_string(directory.join("memory.pressure")).ok()?;
    let full = text.lines().find_map(|line| line.strip_prefix("full "))?;
    let percent = full.split(' ').find_map(|field| field.strip_prefix("avg60="))?;
    percent.parse::<f64>().ok().map(|percent| percent / 100.0)
}

/// A file with one number; `max` is none.
fn number(path: &Path) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// The number after a key at the beginning of a line.
fn field(text: &str, key: &str) -> Option<u64> {
    text.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        words.next().filter(|word| *word == key).and_then(|_| words.next()?.parse().ok())
    })
}
