//! The dependencies that checks take as parameters, found by their exact type.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

/// Every value given to `HealthBuilder::provide`, by its type. Cloning shares it.
#[derive(Clone, Default)]
pub struct Provided {
    values: Arc<HashMap<TypeId, (TypeName, Value)>>,
}

type TypeName = &'static str;

/// A `Box<T>` of the value: unlike a `T`, it has a size also for a `T` that has none, so that the
/// methods below can be called with such a type. A check with one is refused by [`Parameter`] alone.
type Value = Box<dyn Any + Send + Sync>;

/// Why a value that the builder has validated must be there.
const VALIDATED: &str = "`build` fails if a dependency is missing";

impl Provided {
    /// Keeps `value`. Gives back its type's name if there was one of that type already.
    ///
    /// # Panics
    /// Once it is shared, which is after `build`.
    pub(crate) fn insert<T: Send + Sync + 'static>(&mut self, value: T) -> Result<(), TypeName> {
        let name = std::any::type_name::<T>();
        let values = Arc::get_mut(&mut self.values).expect("the builder has the only handle");
        match values.insert(TypeId::of::<T>(), (name, Box::new(Box::new(value)))) {
            None => Ok(()),
            Some(_) => Err(name),
        }
    }

    pub(crate) fn contains(&self, id: TypeId) -> bool {
        self.values.contains_key(&id)
    }

    pub(crate) fn type_names(&self) -> impl Iterator<Item = TypeName> {
        self.values.values().map(|(name, _)| *name)
    }

    /// For a parameter `Option<&T>`.
    pub fn optional<T: ?Sized + 'static>(&self) -> Option<&T> {
        let (_, value) = self.values.get(&TypeId::of::<T>())?;
        value.downcast_ref::<Box<T>>().map(|value| &**value)
    }

    /// For a parameter `&T`.
    ///
    /// # Panics
    /// If it was not provided, which `build` has ruled out.
    pub fn borrowed<T: ?Sized + 'static>(&self) -> &T {
        self.optional().expect(VALIDATED)
    }

    /// For a parameter `T`.
    ///
    /// # Panics
    /// If it was not provided, which `build` has ruled out.
    pub fn cloned<T: ClonedDependency>(&self) -> T {
        self.borrowed::<T>().clone()
    }
}

impl fmt::Debug for Provided {
    /// The types only: the values may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.type_names()).finish()
    }
}

/// A type whose values can be shared by all runs of a check, on any thread.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a dependency of a health check",
    label = "not `Send + Sync`",
    note = "for a trait object, write the bounds: `Arc<dyn Trait + Send + Sync>`, or `trait Trait: Send + Sync`",
    note = "replace `Rc` by `Arc`, and `Cell` or `RefCell` by `Mutex`, `RwLock` or an atomic; a struct is `Send + Sync` if all of its fields are"
)]
pub trait Dependency: Send + Sync {}

#[diagnostic::do_not_recommend]
impl<T: ?Sized + Send + Sync> Dependency for T {}

/// A type with a size: what the builder's `provide` takes.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is unsized and cannot be a dependency of a health check",
    label = "unsized",
    note = "provide an owned type and take a reference to it: `&PathBuf` for `&Path`, `&OsString` for `&OsStr`, `&CString` for `&CStr`, `&Box<T>` for any other `&T`",
    note = "each type can be provided once: for a common one, use a newtype such as `struct DataDir(PathBuf)`"
)]
pub trait SizedDependency {}

#[diagnostic::do_not_recommend]
impl<T> SizedDependency for T {}

/// A type that a check can take by value.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not `Clone`: take `&{Self}`, or derive `Clone`",
    label = "would be cloned for every run",
    note = "a parameter `T` is a clone of the provided value, `&T` borrows it, and `Option<&T>` is `None` if it was not provided"
)]
pub trait ClonedDependency: Clone + 'static {}

#[diagnostic::do_not_recommend]
impl<T: Clone + 'static> ClonedDependency for T {}

/// One parameter of a check function: the type that it takes.
#[derive(Clone, Copy)]
pub struct Parameter {
    /// A function, because `TypeId::of` in a `static` needs a newer compiler than this crate does.
    type_of: fn() -> (TypeId, TypeName),
    optional: bool,
}

impl Parameter {
    /// A parameter `&T` or `T`.
    pub const fn required<T: ?Sized + Dependency + SizedDependency + 'static>() -> Self {
        Self { type_of: || (TypeId::of::<T>(), std::any::type_name::<T>()), optional: false }
    }

    /// A parameter `Option<&T>`.
    pub const fn optional<T: ?Sized + Dependency + SizedDependency + 'static>() -> Self {
        Self { optional: true, ..Self::required::<T>() }
    }

    /// The type's name, if this parameter needs a value that `provided` does not have.
    pub(crate) fn missing(self, provided: &Provided) -> Option<TypeName> {
        let (id, name) = (self.type_of)();
        (!self.optional && !provided.contains(id)).then_some(name)
    }
}

impl fmt::Debug for Parameter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (_, name) = (self.type_of)();
        f.debug_struct("Parameter").field("type", &name).field("optional", &self.optional).finish()
    }
}
