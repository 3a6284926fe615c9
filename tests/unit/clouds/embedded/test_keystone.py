import keystoneauth1.exceptions
import openstack
import pytest
from keystoneauth1.identity import v3
from keystoneauth1.session import Session


def test_a_wrong_password_is_refused(shared_cloud):
    with (
        shared_cloud.connect(password="wrong") as connection,
        pytest.raises(keystoneauth1.exceptions.Unauthorized),
    ):
        connection.session.get_token()


def test_an_unknown_user_is_refused(shared_cloud):
    with (
        shared_cloud.connect(user="nobody") as connection,
        pytest.raises(keystoneauth1.exceptions.Unauthorized),
    ):
        connection.session.get_token()


def test_a_project_without_a_role_in_it_is_refused(shared_cloud, user, stranger):
    with (
        shared_cloud.connect(
            user=user.config.auth["username"], project=stranger.config.auth["project_name"], password="secret"
        ) as c,
        pytest.raises(keystoneauth1.exceptions.Unauthorized),
    ):
        c.session.get_token()


def test_a_token_can_be_unscoped_and_exchanged_for_a_scoped_one(shared_cloud):
    url = shared_cloud.endpoint.auth_url
    session = Session()
    password = v3.Password(url, username="admin", password="correct horse", user_domain_id="default", unscoped=True)
    assert password.get_access(session).project_id is None
    token = v3.Token(url, password.get_token(session), project_name="admin", project_domain_name="Default")
    access = token.get_access(session)
    assert access.project_name == "admin"
    assert access.role_names == ["admin"]


def test_the_catalogue_names_every_service(admin):
    types = {service["type"] for service in admin.service_catalog}
    assert types == {"identity", "compute", "image", "network", "volumev3"}


def test_a_request_without_a_token_is_refused(shared_cloud):
    url = shared_cloud.endpoint.auth_url.replace("/identity/v3", "/compute/v2.1/servers")
    with pytest.raises(keystoneauth1.exceptions.Unauthorized):
        Session().get(url, authenticated=False)


def test_a_revoked_token_is_refused(shared_cloud, admin):
    session = Session()
    auth = v3.Password(
        shared_cloud.endpoint.auth_url,
        username="admin",
        password="correct horse",
        user_domain_id="default",
        project_name="admin",
        project_domain_id="default",
    )
    token = auth.get_token(session)
    assert admin.identity.get("/auth/tokens", headers={"X-Subject-Token": token}).status_code == 200
    assert admin.identity.delete("/auth/tokens", headers={"X-Subject-Token": token}).status_code == 204
    assert admin.identity.get("/auth/tokens", headers={"X-Subject-Token": token}).status_code == 404


def test_projects_and_users_come_and_go(admin):
    project = admin.identity.create_project(name="short-lived", description="soon gone")
    person = admin.identity.create_user(name="short-lived", password="x")
    assert admin.identity.find_project("short-lived").description == "soon gone"
    assert [u.name for u in admin.identity.users(name="short-lived")] == ["short-lived"]
    admin.identity.update_project(project, description="later")
    assert admin.identity.get_project(project.id).description == "later"
    admin.identity.delete_user(person)
    admin.identity.delete_project(project)
    assert admin.identity.find_user("short-lived") is None
    assert admin.identity.find_project("short-lived") is None


def test_a_name_is_taken_once_per_domain(admin):
    domain = admin.identity.create_domain(name="elsewhere")
    admin.identity.create_project(name="twin")
    admin.identity.create_project(name="twin", domain_id=domain.id)
    with pytest.raises(openstack.exceptions.ConflictException, match="Duplicate"):
        admin.identity.create_project(name="twin")
    with pytest.raises(openstack.exceptions.ForbiddenException, match="disable it first"):
        admin.identity.delete_domain(domain)
    admin.identity.update_domain(domain, is_enabled=False)
    admin.identity.delete_domain(domain)


def test_roles_are_given_and_taken(admin):
    project = admin.identity.create_project(name="roles")
    person = admin.identity.create_user(name="roles", password="x")
    role = admin.identity.create_role(name="wizard")
    admin.identity.assign_project_role_to_user(project, person, role)
    assert admin.identity.validate_user_has_project_role(project, person, role)
    assigned = list(admin.identity.role_assignments(user_id=person.id))
    assert [(a.role["id"], a.scope["project"]["id"]) for a in assigned] == [(role.id, project.id)]
    admin.identity.unassign_project_role_from_user(project, person, role)
    assert list(admin.identity.role_assignments(user_id=person.id)) == []
    admin.identity.delete_role(role)


def test_an_ordinary_user_manages_nobody(user):
    with pytest.raises(openstack.exceptions.ForbiddenException):
        user.identity.create_user(name="mine", password="x")
    with pytest.raises(openstack.exceptions.ForbiddenException):
        list(user.identity.projects())


def test_the_token_of_a_deleted_user_is_refused(admin, user):
    assert list(user.compute.servers()) == []
    admin.identity.delete_user(user.current_user_id)
    with pytest.raises(keystoneauth1.exceptions.Unauthorized):
        list(user.compute.servers())


def test_an_expired_token_is_refused(new_cloud):
    cloud = new_cloud(token_lifetime="0s")
    with cloud.connect() as connection:
        assert connection.compute.get("/servers").status_code == 401


def test_an_unscoped_token_opens_no_other_service(shared_cloud):
    url = shared_cloud.endpoint.auth_url
    session = Session()
    auth = v3.Password(url, username="admin", password="correct horse", user_domain_id="default", unscoped=True)
    servers = url.replace("/identity/v3", "/compute/v2.1/servers")
    token = {"X-Auth-Token": auth.get_token(session)}
    with pytest.raises(keystoneauth1.exceptions.Forbidden):
        session.get(servers, headers=token, authenticated=False)
