// For Android Studio or a Gradle 8.13 of yours: `gradle :app:assembleLitertDebug`. Not built in this project's CI, which
// reaches neither Google's Maven repository nor Gradle's plugins; there ci/build_apk.py builds the flavour bare.
pluginManagement {
    repositories {
        google()
        mavenCentral()
        gradlePluginPortal()
    }
}

dependencyResolutionManagement {
    repositories {
        google()
        mavenCentral()
    }
    versionCatalogs {
        create("libs") { from(files("libs.versions.toml")) }
    }
}

rootProject.name = "deblur"
include(":app")
