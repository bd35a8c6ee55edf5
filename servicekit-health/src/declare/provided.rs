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
type Value = Box<dyn Any + Send + Sync>;

/// Why a value that the builder has validated must be there.
const VALIDATED: &str = "`build` refuses a check whose dependency nobody provided";

impl Provided {
    /// Keeps `value`. Gives back its type's name if there was one of that type already.
    ///
    /// # Panics
    /// Once it is shared, which is after `build`.
    pub(crate) fn insert<T: Send + Sync + 'static>(&mut self, value: T) -> Result<(), TypeName> {
        let name = std::any::type_name::<T>();
        let values = Arc::get_mut(&mut self.values).expect("the builder has the only handle");
        match values.insert(TypeId::of::<T>(), (name, Box::new(value))) {
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
    pub fn optional<T: 'static>(&self) -> Option<&T> {
        let (_, value) = self.values.get(&TypeId::of::<T>())?;
        value.downcast_ref()
    }

    /// For a parameter `&T`.
    ///
    /// # Panics
    /// If there is none, which `build` has ruled out.
    pub fn borrowed<T: 'static>(&self) -> &T {
        self.optional().expect(VALIDATED)
    }

    /// For a parameter `T`.
    ///
    /// # Panics
    /// If there is none, which `build` has ruled out.
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

/// What a check can take as a parameter.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a dependency of a health check",
    label = "not `Send + Sync + 'static`",
    note = "a check runs on any thread and shares its dependencies with other runs: wrap what is not `Sync` in a `Mutex`, what is not `Send` stays out"
)]
pub trait Dependency: Send + Sync + 'static {}

impl<T: Send + Sync + 'static> Dependency for T {}

/// What a check can take as a parameter that is not a reference.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not `Clone`: borrow it, as `&{Self}`, or derive `Clone`",
    label = "would be cloned for every run",
    note = "a parameter `T` is a clone of what was provided, `&T` borrows it, and `Option<&T>` is `None` where nobody provided it"
)]
pub trait ClonedDependency: Clone + 'static {}

#[diagnostic::do_not_recommend]
impl<T: Clone + 'static> ClonedDependency for T {}

/// One parameter of a check function: what type it asks for.
#[derive(Clone, Copy)]
pub struct Parameter {
    /// A function, because `TypeId::of` in a `static` needs a newer compiler than this crate does.
    type_of: fn() -> (TypeId, TypeName),
    optional: bool,
}

impl Parameter {
    /// A parameter `&T` or `T`.
    pub const fn required<T: Dependency>() -> Self {
        Self { type_of: || (TypeId::of::<T>(), std::any::type_name::<T>()), optional: false }
    }

    /// A parameter `Option<&T>`.
    pub const fn optional<T: Dependency>() -> Self {
        Self { optional: true, ..Self::required::<T>() }
    }

    /// The type's name, if `provided` lacks what this parameter cannot do without.
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
