//! The dev tenant's names, as people read them in the documentation.

/// An application of the dev tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct App {
    /// Its id.
    pub id: &'static str,
    /// Its name to show.
    pub name: &'static str,
}

impl App {
    /// May do everything.
    pub const CALLING_BOT: Self = Self { id: "2891555a-92ff-42e6-80fa-6e1300c6b5c6", name: "Calling Bot" };
    /// May do nothing.
    pub const NO_RIGHTS: Self = Self { id: "0d2d1e2f-0000-4000-8000-000000000001", name: "No Rights" };
    /// May do everything, and is another one.
    pub const TEST_BOT: Self = Self { id: "dd3885da-f9ab-486b-bfae-85de3d445555", name: "TestBot" };
    /// The secret of each.
    pub const SECRET: &'static str = "dev-secret";
    /// The tenant of most examples.
    pub const CONTOSO: &'static str = "aa67bd4c-8475-432d-bd41-39f255720e0a";
    /// The application instance of Calling Bot in that tenant, which has the number +12345678900.
    pub const INSTANCE: &'static str = "3d913abb-aec0-4964-8fa6-3c6850c4f278";
    /// The tenant whose id is no GUID.
    pub const FABRIKAM: &'static str = "86dc81db-c112-4228-9222-63f3esaa1edb";
}

/// A user of the dev tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct User {
    /// Its id.
    pub id: &'static str,
    /// Its name to show.
    pub name: &'static str,
    /// What it registers as, without the domain.
    pub sip_name: &'static str,
}

impl User {
    /// Never answers.
    pub const BOB: Self = Self { id: "5810cede-f3cc-42eb-b2c1-e9bd5d53ec96", name: "Bob", sip_name: "bob" };
    /// Answers and presses `1` and `#`.
    pub const JOHN: Self =
        Self { id: "112f7296-5fa4-42ca-bae8-6a692b15d4b8", name: "John", sip_name: "john" };
    /// Echoes.
    pub const USER1: Self =
        Self { id: "98da8a1a-1b87-452c-a713-65d3f10b5555", name: "user1", sip_name: "user1" };
    /// Declines.
    pub const USER2: Self =
        Self { id: "bf5aae9a-d11d-47a8-93b1-782504c95555", name: "user2", sip_name: "user2" };
    /// The SIP password of each.
    pub const PASSWORD: &'static str = "dev-password";
    /// The domain of all, which is also the realm of digest authentication.
    pub const DOMAIN: &'static str = "contoso.example";
}
